"""Images that a recipe draws: brought here, decoded once, and let through only as one still picture
of a kind that is known. As hostile as a source, and handled like one.

It must never let a task begin without an image that was asked for: a film without its mark is
another film.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from worker.assets import HEAD_BYTES, PIXELS_MAX, Asset, kind
from worker.compile import command
from worker.compile_picture import opened
from worker.compile_still import listed
from worker.ends import WorkFailed
from worker.picture import Size
from worker.promise import Plan

#: Of ffmpeg's list of what it decoded.
_DIMENSIONS = re.compile(r"^#dimensions 0: (\d+)x(\d+)$", re.MULTILINE)

#: What the storage said of it, and what that means for who asked for it. What may succeed later is
#: no fault of the image's.
_CODES = {
    "asset_missing": "asset_missing",
    "source_missing": "asset_missing",
    "source_unreadable": "worker_failed",
    "source_replaced": "worker_failed",
}


def bring(
    names: Iterable[str],
    fetch: Callable[[str, str], object],
    run: Callable[[Plan], object],
    *,
    folder: Path,
    ffmpeg_path: str,
) -> Mapping[str, Asset]:
    """All of these, by name; `fetch` brings one to a path beneath the folder, `run` carries out a
    command line there. Raises WorkFailed(asset_missing, asset_refused), Halted."""
    found: dict[str, Asset] = {}
    for number, name in enumerate(names):
        # A path of ours: what somebody calls it is never opened.
        path = f"in/asset-{number}"
        try:
            fetch(name, path)
        except WorkFailed as failed:
            code = _CODES.get(failed.code, "asset_refused")
            raise WorkFailed(code, _of(name, failed)) from None
        try:
            found[name] = _looked_at(path, run, folder, ffmpeg_path)
        except WorkFailed as failed:
            raise WorkFailed("asset_refused", _of(name, failed)) from None
    return found


def _of(name: str, failed: WorkFailed) -> str:
    return f"{name}: {failed.detail}" if failed.detail else name


def _looked_at(path: str, run: Callable[[Plan], object], folder: Path, ffmpeg_path: str) -> Asset:
    """Raises WorkFailed, Halted."""
    with (folder / path).open("rb") as file:
        demuxer = kind(file.read(HEAD_BYTES))
    if not demuxer:
        raise WorkFailed("asset_refused", "it is no PNG, no JPEG and no still WebP")
    # By the decoder that draws it: others may know fewer kinds.
    output = listed(opened(path, demuxer), f"{path}.txt", **{"frames:v": 2})
    run(Plan(argv=command(ffmpeg_path, 1, ("-xerror",), [output]), promises=()))
    said = (folder / f"{path}.txt").read_text("ascii")
    count = sum(not line.startswith("#") for line in said.splitlines())
    size = _DIMENSIONS.search(said)
    if count != 1 or size is None:
        raise WorkFailed("asset_refused", "it is not one picture")
    width, height = int(size[1]), int(size[2])
    if width * height > PIXELS_MAX:
        raise WorkFailed("asset_refused", f"{width}x{height}, at most {PIXELS_MAX} pixels")
    return Asset(path=path, demuxer=demuxer, size=Size(width, height))
