"""Films with subtitles: real tracks in real containers, in words that a stranger might choose."""

from collections.abc import Mapping
from pathlib import Path

from tests.worker.clips import Clips

#: From and to in milliseconds, and what it says, as SubRip has it.
Words = tuple[tuple[int, int, str], ...]

PLAIN: Words = (
    (500, 1500, "Hello <i>there</i>"),
    (1000, 2000, 'a < b & "c"'),
    (3000, 3700, "two\nlines\n<b>bold <u>under</u></b>"),
)

#: What it says to whoever reads it as a file, or as a page.
HOSTILE: Words = (
    (100, 900, "<script>alert(1)</script><v Mallory>&lt;img src=x onerror=alert(1)&gt;</v>"),
    (1000, 1900, "00:00:01,000 -- > 00:00:02,000"),
    (2000, 2900, 'X-TIMESTAMP-MAP=MPEGTS:900000 <font face="../../etc/passwd">--></font>'),
    (3000, 3900, "{\\pos(1,1)}{\\fnevil\\b1}bold{\\r} $(id) %s %n"),
)


def subrip(words: Words) -> str:
    return "".join(
        f"{number}\n{_clock(start)} --> {_clock(end)}\n{text}\n\n"
        for number, (start, end, text) in enumerate(words, start=1)
    )


def _clock(ms: int) -> str:
    return f"{ms // 3600000:02d}:{ms // 60000 % 60:02d}:{ms // 1000 % 60:02d},{ms % 1000:03d}"


def film(
    made: Clips,
    folder: Path,
    tracks: Mapping[str, Words],
    name: str = "spoken.mkv",
    codec: str = "srt",
    *more: str,
    seconds: float = 4,
) -> Path:
    """A film with these tracks, by their language, beside the first sound."""
    plain = made.plain(f"silent-{seconds}.mp4", seconds=seconds, size="160x90", rate="10")
    inputs, maps = list[str](), list[str]()
    for number, (language, words) in enumerate(tracks.items(), start=1):
        (folder / f"{language}.srt").write_text(subrip(words))
        inputs += ["-i", str(folder / f"{language}.srt")]
        maps += ["-map", str(number), f"-metadata:s:s:{number - 1}", f"language={language}"]
    target = folder / name
    made.make(
        str(target), "-i", str(plain), *inputs, "-map", "0", *maps, "-c", "copy", "-c:s", codec,
        *more,
    )  # fmt: skip
    return target
