"""Makes photographs as cameras do: pictures whose grey tells which they are, with EXIF beside them.

The EXIF is written here by hand, so that what reads it has a writer that it knows nothing of.
"""

import struct
import subprocess
import zlib
from pathlib import Path

_GREY_STEP = 6
_GREY_FIRST = 36


def grey(number: int) -> int:
    """Of a photograph's picture, 0 to 255: later ones are lighter."""
    return _GREY_FIRST + _GREY_STEP * number


def exif(*, orientation: int = 0, taken: str = "", subseconds: str = "", order: str = "<") -> bytes:
    """A TIFF structure with what is named: IFD0, and the Exif IFD behind it."""
    top: list[tuple[int, int, bytes]] = []
    inner: list[tuple[int, int, bytes]] = []
    if orientation:
        top.append((0x0112, 3, struct.pack(f"{order}H", orientation)))
    if taken:
        inner.append((0x9003, 2, taken.encode() + b"\0"))
    if subseconds:
        inner.append((0x9291, 2, subseconds.encode() + b"\0"))
    first = 8
    if inner:
        behind = first + 2 + 12 * (len(top) + 1) + 4
        top.append((0x8769, 4, struct.pack(f"{order}I", behind)))
    body = _folder(top, first, order)
    if inner:
        body += _folder(inner, first + len(body), order)
    return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", first) + body


def _folder(entries: list[tuple[int, int, bytes]], at: int, order: str) -> bytes:
    listed, beyond = b"", b""
    data = at + 2 + 12 * len(entries) + 4
    for tag, kind, value in entries:
        count = len(value) if kind == 2 else 1
        if len(value) > 4:
            listed += struct.pack(f"{order}HHII", tag, kind, count, data + len(beyond))
            beyond += value
        else:
            listed += struct.pack(f"{order}HHI", tag, kind, count) + value.ljust(4, b"\0")
    return struct.pack(f"{order}H", len(entries)) + listed + b"\0\0\0\0" + beyond


def tagged(image: bytes, said: bytes) -> bytes:
    """A JPEG, PNG or WebP with that EXIF in it."""
    if image.startswith(b"\xff\xd8"):
        block = b"Exif\0\0" + said
        return image[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + image[2:]
    if image.startswith(b"\x89PNG"):
        chunk = b"eXIf" + said
        written = struct.pack(">I", len(said)) + chunk + struct.pack(">I", zlib.crc32(chunk))
        return image[:33] + written + image[33:]
    assert image[:4] == b"RIFF"
    odd = len(said) % 2 * b"\0"
    body = image[12:] + b"EXIF" + struct.pack("<I", len(said)) + said + odd
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


class Camera:
    """Takes photographs with ffmpeg; the same arguments give the same file."""

    def __init__(self, ffmpeg: Path, folder: Path) -> None:
        self._ffmpeg, self._folder = ffmpeg, folder

    def shoot(self, number: int, *, size: str = "320x240", kind: str = "jpg") -> bytes:
        """A photograph of one grey, whose upper left quarter is black: which side is up shows."""
        path = self._folder / f"{number}-{size}.{kind}"
        if not path.exists():
            tone = f"0x{grey(number):02x}{grey(number):02x}{grey(number):02x}"
            corner = "drawbox=0:0:iw/2:ih/2:black:fill"
            self._make(f"color=c={tone}:s={size},format=rgb24,{corner}", path)
        return path.read_bytes()

    def _make(self, graph: str, path: Path) -> None:
        coded = {
            ".jpg": ("-pix_fmt", "yuvj420p", "-q:v", "2"),
            ".png": ("-pix_fmt", "rgb24"),
            ".webp": ("-c:v", "libwebp", "-pix_fmt", "yuv420p", "-quality", "95"),
            ".tif": ("-pix_fmt", "rgb24"),
        }[path.suffix]
        argv = [str(self._ffmpeg), "-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", graph]
        argv += ["-frames:v", "1", *coded, "-update", "1", str(path)]
        subprocess.run(argv, check=True, timeout=60)
