"""What every stream and every file that ffmpeg writes have in common. Pure."""

from typing import Any

#: What is not taken over from the source.
ANONYMOUS = {
    # Telephones write where and when a film was made; what is published must not tell.
    "map_metadata": -1,
    "map_chapters": -1,  # they would become a track of their own
}


def branches(stream: Any, split: str, count: int) -> list[Any]:
    """The same stream so many times."""
    if count == 1:
        return [stream]
    node = stream.filter_multi_output(split, count)
    return [node[index] for index in range(count)]
