"""Unpacks a function's code once, however many processes run it.

MiniStack unpacks the whole zip for every process that it starts: some 2,600 files and 37 MB a
time, and Python compiles them anew each time. Here the zip is unpacked once a content, and each
process gets links to it, so that a cold start on the laptop costs what the imports cost. A
function that changed its own code's folder would change it for its neighbours; on Lambda that
folder is read-only.
"""

import hashlib
import importlib
import shutil
import tempfile
import threading
import types
import zipfile
from pathlib import Path
from typing import Any

from local.ecs.store import WrongMiniStack

_unpacking = threading.Lock()


class _SharedCode(zipfile.ZipFile):
    """A zip whose content is unpacked beside all others, and linked to where it is wanted."""

    def extractall(self, path: Any = None, members: Any = None, pwd: bytes | None = None) -> None:
        if members is not None or pwd is not None or self.filename is None:
            super().extractall(path, members, pwd)
            return
        shared = self._unpacked(Path(self.filename))
        for entry in shared.iterdir():
            (Path(path) / entry.name).symlink_to(entry)

    def _unpacked(self, packed: Path) -> Path:
        with packed.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        place = Path(tempfile.gettempdir()) / "code" / digest
        with _unpacking:
            if not place.is_dir():
                fresh = place.with_suffix(".new")
                shutil.rmtree(fresh, ignore_errors=True)
                super().extractall(fresh)
                fresh.rename(place)
        return place


def install() -> None:
    """Has MiniStack unpack code this way. Raises WrongMiniStack."""
    runtime = importlib.import_module("ministack.core.lambda_runtime")
    if getattr(runtime, "zipfile", None) is not zipfile:
        raise WrongMiniStack("MiniStack's Lambda runtime does not use zipfile; see local/lambdas.")
    named = {name: getattr(zipfile, name) for name in ("BadZipFile", "LargeZipFile")}
    runtime.zipfile = types.SimpleNamespace(ZipFile=_SharedCode, **named)  # type: ignore[attr-defined]
