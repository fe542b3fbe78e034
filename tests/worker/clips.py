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

    def portrait(self) -> Path:
        """Stored lying down, with a display matrix that turns it upright, as telephones do."""
        plain = self.plain()
        return self.make(
            "portrait.mp4", "-display_rotation", "90", "-i", str(plain), "-c", "copy",
        )  # fmt: skip

    def one_frame(self) -> Path:
        """A film of one picture."""
        return self.silent("one-frame.mp4", "-frames:v", "1")

    def variable(self) -> Path:
        """Pictures at uneven distances, with B-frames."""
        return self.make(
            "variable.mkv",
            "-f", "lavfi", "-i", _PICTURE.format(size="320x180", rate=30, seconds=4),
            "-vf", "select='not(mod(n,2))+gt(random(1),0.6)'", "-fps_mode", "passthrough",
            "-c:v", "libx264", "-preset", "veryfast", "-bf", "3",
        )  # fmt: skip

    def surround(self) -> Path:
        """Six channels."""
        return self.plain("surround.mp4", "-ac", "6")

    def many_tracks(self) -> Path:
        """Eight mono tracks, as broadcasters have them."""
        maps = [part for _ in range(8) for part in ("-map", "1:a")]
        return self.plain("many-tracks.mov", "-map", "0:v", *maps, "-ac", "1")

    def anamorphic(self) -> Path:
        """PAL wide screen: 720x576 pixels that are not square."""
        return self.silent("anamorphic.mp4", "-vf", "setsar=64/45", size="720x576")

    def offset_stream(self) -> Path:
        """A transport stream whose clock begins at 1000 s, with sound that comes 0.5 s late."""
        plain = self.plain()
        return self.make(
            "offset.ts",
            "-itsoffset", "0.5", "-i", str(plain), "-i", str(plain),
            "-map", "1:v", "-map", "0:a", "-c", "copy", "-output_ts_offset", "1000",
        )  # fmt: skip

    def interlaced(self) -> Path:
        """Two fields in a picture."""
        return self.make(
            "interlaced.mp4",
            "-f", "lavfi", "-i", _PICTURE.format(size="320x180", rate=50, seconds=2),
            "-vf", "interlace", "-c:v", "libx264", "-flags", "+ilme+ildct", "-preset", "veryfast",
        )  # fmt: skip

    def edited(self) -> Path:
        """Cut without encoding, in the middle of a group of pictures: an edit list hides some."""
        plain = self.plain()
        return self.make("edited.mp4", "-ss", "0.5", "-i", str(plain), "-c", "copy")

    def cover(self) -> Path:
        """Sound with a picture on its sleeve."""
        return self.make(
            "cover.mp3",
            "-f", "lavfi", "-i", "sine=d=2", "-f", "lavfi", "-i", "testsrc=s=64x64:d=0.04:r=25",
            "-map", "0", "-map", "1", "-c:a", "libmp3lame", "-c:v", "mjpeg",
            "-disposition:v", "attached_pic", "-id3v2_version", "3",
        )  # fmt: skip

    def webm(self) -> Path:
        """VP8, whose stream holds pictures that are never shown."""
        return self.make(
            "hidden.webm",
            "-f", "lavfi", "-i", _PICTURE.format(size="320x180", rate=25, seconds=3),
            "-f", "lavfi", "-i", "sine=d=3:r=48000",
            "-c:v", "libvpx", "-auto-alt-ref", "1", "-lag-in-frames", "16", "-b:v", "300k",
            "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus",
        )  # fmt: skip

    def no_moments(self) -> Path:
        """AVI, whose packets carry no moment of showing, with B-frames."""
        return self.make(
            "plain.avi",
            "-f", "lavfi", "-i", _PICTURE.format(size="320x180", rate=25, seconds=2),
            "-f", "lavfi", "-i", "sine=d=2:r=22050",
            "-c:v", "mpeg4", "-bf", "2", "-c:a", "libmp3lame",
        )  # fmt: skip

    def ten_bit(self) -> Path:
        """What telephones make of high dynamic range, roughly."""
        return self.make(
            "ten-bit.mkv",
            "-f", "lavfi", "-i", _PICTURE.format(size="320x180", rate=25, seconds=1),
            "-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le",
            "-x265-params", "log-level=none",
        )  # fmt: skip

    def rounded(self, container: str) -> Path:
        """Film's rate, which no clock of whole milliseconds hits."""
        return self.make(
            f"rounded.{container}",
            "-f", "lavfi", "-i", _PICTURE.format(size="320x180", rate="24000/1001", seconds=3),
            "-c:v", "libx264", "-preset", "veryfast", "-g", "24", "-pix_fmt", "yuv420p",
        )  # fmt: skip

    def late_picture(self) -> Path:
        """Sound that is there half a second before the picture."""
        return self.make(
            "late-picture.mkv",
            "-itsoffset", "0.5",
            "-f", "lavfi", "-i", _PICTURE.format(size="96x64", rate=30, seconds=3),
            "-f", "lavfi", "-i", "sine=d=3:r=48000",
            "-c:v", "libx264", "-g", "30", "-pix_fmt", "yuv420p", "-c:a", "aac",
        )  # fmt: skip

    def broadcast(self) -> Path:
        """MXF, whose clock ticks whole frames: 1001/30000 s."""
        return self.make(
            "broadcast.mxf",
            "-f", "lavfi", "-i", _PICTURE.format(size="320x240", rate="30000/1001", seconds=3),
            "-c:v", "mpeg2video", "-g", "12", "-bf", "2", "-pix_fmt", "yuv420p",
        )  # fmt: skip

    def truncated(self, of: Path, share: float = 0.6) -> Path:
        """The same file, cut off."""
        path = of.with_name(f"cut-{of.name}")
        content = of.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])
        return path

    def counted(self, name: str, *more: str) -> Path:
        """Fifty grey pictures; the n-th has a luma of 16 + 4 n."""
        grey = "format=yuv420p,geq=lum=16+4*N:cb=128:cr=128"
        return self.make(
            name,
            "-f", "lavfi", "-i", f"color=s=64x64:r=25:d=2,{grey}",
            "-c:v", "libx264", "-qp", "0", "-bf", "2", *more,
        )  # fmt: skip
