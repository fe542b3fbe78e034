"""What every filtered picture and every file that ffmpeg writes have in common. Pure."""

from typing import Any

from worker.picture import Size

#: What is not taken over from the source.
ANONYMOUS = {
    # Telephones write where and when a film was made; what is published must not tell.
    "map_metadata": -1,
    "map_chapters": -1,  # they would become a track of their own
}


#: By the bits of a sample.
PIXELS = {8: "yuv420p", 10: "yuv420p10le"}


def branches(stream: Any, split: str, count: int) -> list[Any]:
    """The same stream so many times."""
    if count == 1:
        return [stream]
    node = stream.filter_multi_output(split, count)
    return [node[index] for index in range(count)]


def scaled(branch: Any, size: Size, *, full_range: bool = False, bits: int = 8) -> Any:
    """Of that size, in square pixels and in the one format that its codec's players know."""
    full = {"out_range": "full"} if full_range else {}  # JPEG knows no other
    return (
        # Both sides are ours: a source that changes size midway stays in one shape. Bicubic is
        # ffmpeg's default, named so that a newer one cannot change the picture.
        branch.filter("scale", size.width, size.height, flags="bicubic", **full)
        # Square pixels: the shape is in the size now.
        .filter("setsar", 1)
        # 4:2:0, and 8 bits where nobody wants ten: the one format that every player decodes.
        .filter("format", "yuvj420p" if full_range else PIXELS[bits])
    )
