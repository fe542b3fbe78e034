"""How ffmpeg and ffprobe open a source: as a file that was brought here, or through the loopback.

Both read strangers' bytes, so each input names the protocols that it may use, and the demuxers. The
loopback's are HTTP and TCP, but no demuxer that is let at a source opens what it names, and the
network is not what keeps a hostile file in its bounds: this list is.
"""

import dataclasses
from collections.abc import Callable, Mapping

#: Where a source that was fetched lies, beneath the attempt's folder.
SOURCE = "in/source"

#: What says to whoever draws letters which fonts there are.
FONT_CONFIG = "in/fonts.conf"

#: Every demuxer that may touch a source: the containers people upload, and none that reads other
#: files or URLs (hls, dash, concat, image2, sdp, …), none without a clock of its own (raw video:
#: nobody could prove that it is whole), no still pictures.
DEMUXERS = (
    "mov", "matroska", "mpegts", "mpeg", "avi", "flv", "asf", "mxf", "ogg", "gif", "dv",
    "mp3", "aac", "ac3", "eac3", "flac", "wav", "w64", "aiff", "caf", "amr",
)  # fmt: skip

#: What ffmpeg asks the loopback for at once. Without, it asks for all that is left, and what it has
#: not taken when it jumps away has been read from the storage in vain.
_REQUEST_BYTES = 256 << 10


def _nothing_missed() -> None:
    """A file on the disk is there."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """One input."""

    url: str
    #: What it may be read through.
    protocols: str
    options: Mapping[str, str | int] = dataclasses.field(default_factory=dict)
    #: Asked after each program that read it: raises what kept a byte from it (WorkFailed, Halted).
    check: Callable[[], None] = _nothing_missed

    @property
    def guard(self) -> tuple[str, ...]:
        """ffprobe's options. They come before the input, or they do not count for it."""
        named = {"protocol_whitelist": self.protocols, "format_whitelist": ",".join(DEMUXERS)}
        pairs = ({**named, **self.options}).items()
        return tuple(part for name, value in pairs for part in (f"-{name}", str(value)))


def of_file(path: str) -> Opening:
    """A file beneath the folder. The prefix keeps a name from being read as a protocol."""
    return Opening(url=f"file:{path}", protocols="file")


def of_loopback(url: str, check: Callable[[], None]) -> Opening:
    """What `loopback` serves."""
    options: dict[str, str | int] = {
        "seekable": 1,
        "request_size": _REQUEST_BYTES,
        # With both, ffmpeg is wrong about what is left of an answer once it has looked at the end
        # of the file, and waits for more of it, for ever.
        "multiple_requests": 0,
        # It tries again by itself, and what it cannot have nobody can.
        "reconnect": 0,
        "max_redirects": 0,
        "icy": 0,
    }
    return Opening(url=url, protocols="http,tcp", options=options, check=check)


#: The source, once it is fetched.
FETCHED = of_file(SOURCE)
