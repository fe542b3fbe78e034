"""Folders as values: one digest for what a tree holds, and the plain form in which it ships.

A staged folder must come out the same, byte for byte, wherever and whenever it is staged from the
same sources: its digest becomes the asset's name, and an asset whose name changes for nothing is
an upload and a deployment for nothing. So nothing here may depend on a clock, a path or a umask.
"""

import hashlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

#: Every staged file bears this time (2020-01-01); a zip cannot hold one before 1980.
STAGED_AT_SECONDS = 1_577_836_800

#: What an installer notes about its own work: paths, times and hashes of scripts that name an
#: interpreter. Nothing reads it at run time and it differs from machine to machine.
_INSTALLER_NOTES = frozenset(
    {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"}
)


def files_below(folder: Path) -> list[Path]:
    """Every file below the folder, in one order, without what Python compiles as it goes."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if "__pycache__" not in path.parts)


def digest(files: Iterable[Path], base: Path, *notes: str) -> str:
    """One hash over names and contents, and over any notes that decide what is made of them."""
    total = hashlib.sha256()
    for note in notes:
        total.update(f"note {len(note)} {note}\n".encode())
    for path in sorted(files):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"file {path.relative_to(base).as_posix()} {content}\n".encode())
    return total.hexdigest()


def make_plain(folder: Path) -> None:
    """Strips what an installer leaves for itself, then gives every file one mode and one time."""
    shutil.rmtree(folder / "bin", ignore_errors=True)  # scripts whose first line is a path of ours
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and path.name == "__pycache__":
            shutil.rmtree(path)
        elif path.is_file() and _is_installers(path, folder):
            path.unlink()
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (STAGED_AT_SECONDS, STAGED_AT_SECONDS))


def _is_installers(path: Path, folder: Path) -> bool:
    if path.parent == folder:
        return path.name == ".lock"
    return path.name in _INSTALLER_NOTES and path.parent.name.endswith(".dist-info")
