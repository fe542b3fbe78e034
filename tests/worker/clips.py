"""Clips that ffmpeg makes: each is one trap that sources lay."""

import subprocess
from pathlib import Path

_PICTURE = "testsrc2=s={size}:r={rate}:d={seconds}"
_H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25")


class Clips:
    """By name; made when first asked for."""

    def __init__(self, ffmpeg: Path, folder: Path) -> None:
        self._ffmpeg = ffmpeg
        self._folder = folder

    def make(self, name: str, *arguments: str) -> Path:
        """A file of this name from ffmpeg's arguments."""
        path = self._folder / name
        if not path.exists():
            command = [str(self._ffmpeg), "-v", "error", "-nostdin", "-y", *arguments, str(path)]
            subprocess.run(command, check=True, cwd=self._folder)
        return path

    def plain(
        self,
        name: str = "plain.mp4",
        *more: str,
        size: str = "320x180",
        rate: str = "25",
        seconds: float = 2,
    ) -> Path:
        """Picture and stereo sound."""
        return self.make(
            name,
            "-f", "lavfi", "-i", _PICTURE.format(size=size, rate=rate, seconds=seconds),
            "-f", "lavfi", "-i", f"sine=d={seconds}:r=48000",
            *_H264, "-c:a", "aac", "-ac", "2", "-movflags", "+faststart", *more,
        )  # fmt: skip

    def silent(self, name: str = "silent.mp4", *more: str, size: str = "320x180") -> Path:
        """No sound track."""
        return self.make(
            name,
            "-f", "lavfi", "-i", _PICTURE.format(size=size, rate=25, seconds=1),
            *_H264, *more,
        )  # fmt: skip
