"""Makes what the laptop deploys: staged code and the CloudFormation template, if they are stale.

The template is the one that goes to AWS, written by the same CDK app; only the code it points at
is staged for this machine (compiled wheels differ), and the pools may be given other limits. Both
steps run as the programs that `make build` and `make synth` run: CDK stays out of this process.
A synth takes six seconds, so its result is kept under the hash of all that it reads.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

#: The source tree: the laptop builds what it runs.
ROOT = Path(__file__).resolve().parents[1]
_STAGED = ROOT / "build" / "host"
_RECEIPTS = ROOT / "build" / ".receipts"
_ASSEMBLIES = ROOT / "build" / "local"

#: What the worker's Python path begins with.
WORKER = _STAGED / "worker"

#: Assemblies of other settings that are kept beside the one in use.
_KEPT = 4

Say = Callable[[str], None]


class BuildFailed(RuntimeError):
    """A step of the build went wrong; the message ends with what it said."""


def make(context: Mapping[str, str], say: Say) -> Path:
    """The cloud assembly of these settings, for this machine. Raises BuildFailed."""
    say("stages the code")
    _run("staging the code", ["build_tools.stage", "host"])
    _ASSEMBLIES.mkdir(parents=True, exist_ok=True)
    with _alone():
        place = _ASSEMBLIES / _digest(context)
        if not place.is_dir():
            say("writes the template")
            fresh = place.with_name(f".{place.name}-{os.getpid()}")
            shutil.rmtree(fresh, ignore_errors=True)
            settings = {"build_dir": str(_STAGED), **context}
            given = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
            _run("writing the template", ["infra.app", "--out", str(fresh), *given])
            fresh.rename(place)
        place.touch()
        _forget_old()
    return place


def _digest(context: Mapping[str, str]) -> str:
    """Everything that a synth reads: its own source, what that imports, the code, the settings."""
    read = [ROOT / "uv.lock", *_sources("infra"), *_sources("mayfly")]
    read += sorted(_RECEIPTS.glob("host-*.json"))
    digest = hashlib.sha256()
    for path in read:
        digest.update(f"{path.relative_to(ROOT)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    for key, value in sorted(context.items()):
        digest.update(f"{key}={value}\0".encode())
    return digest.hexdigest()[:20]


def _sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def _forget_old() -> None:
    made = [path for path in _ASSEMBLIES.iterdir() if path.is_dir()]
    made.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for old in made[1 + _KEPT :]:
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _alone() -> Iterator[None]:
    """Two laptops of one tree (tests, say) would write the same assembly; the second waits."""
    with (_ASSEMBLIES / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(what: str, module: Sequence[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *module], cwd=ROOT, check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise BuildFailed(f"Failed at {what}:\n{done.stderr.strip()[-3000:]}")
