"""The built image: built once, and again only when one of its inputs has changed."""

import fcntl
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from build_tools import image, image_layout, image_tools


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """The image of this machine's architecture."""

    layout: image_layout.Layout
    #: Its root file system, owners and modes included.
    root: Path


def what_is_missing() -> str:
    """Why it cannot be built here, in a sentence; empty if it can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "The image's root file system can only be laid out and entered by root on Linux."
    try:
        image_tools.pick("auto")
    except image_tools.Unable as reason:
        return str(reason)
    return ""


def built() -> Image:
    """Builds what has changed; two processes at once take turns."""
    arch = os.uname().machine.replace("aarch64", "arm64")
    place = image.BUILD / "image" / arch
    place.mkdir(parents=True, exist_ok=True)
    with (place / ".test-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _build(arch)
        layout = image_layout.Layout.read(place / "oci")
        marker, root = place / "root-is", place / "root"
        if not marker.is_file() or marker.read_text() != layout.digest:
            marker.unlink(missing_ok=True)
            layout.unpack(root)
            marker.write_text(layout.digest)
        return Image(layout=layout, root=root)


def _build(arch: str) -> None:
    # With debootstrap the base comes from where its packages come from, and no registry is asked.
    base = "debootstrap" if shutil.which("debootstrap") else "registry"
    # gzip takes a tenth of the time of zstd's best level, and Python reads it.
    done = subprocess.run(
        [
            sys.executable, "-m", "build_tools.image", "--arch", arch, "--base", base, "--reuse",
            "--compress", "gzip", "--tag", "localhost/mayfly-worker:test",
        ],
        cwd=image.ROOT, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
