"""Stages `build/<target>/<deployable>/`: a folder that runs by itself, for one kind of machine.

`python -m build_tools.stage TARGET…` makes, for each target, what is deployed there: the
deployable's own package, the parts of `mayfly` that it imports, and the wheels of uv.lock for that
machine, checked by hash. The template, the image and the laptop only point at these folders.
It never imports what it stages, and never fetches anything that the lock does not name.
"""

import argparse
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from build_tools import closure, slim, tree

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
RECEIPTS = BUILD / ".receipts"

#: The dependency group that each deployable adds to the project's own dependencies.
GROUPS = {"dispatcher": "functions", "completion_handler": "functions", "worker": "worker"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A kind of machine, and what is deployed to it."""

    name: str
    deployables: tuple[str, ...]
    #: What uv is told about a machine that is not this one; empty for this one.
    machine: tuple[str, ...]


def _machine(platform: str) -> tuple[str, ...]:
    return ("--python-platform", platform, "--python-version", "3.13")


_LAMBDAS = ("dispatcher", "completion_handler")

TARGETS = {
    target.name: target
    for target in (
        # Lambda's python3.13 runs on Amazon Linux 2023, whose glibc is 2.34.
        Target(name="lambda", deployables=_LAMBDAS, machine=_machine("aarch64-manylinux_2_28")),
        Target(name="host", deployables=(*_LAMBDAS, "worker"), machine=()),
        Target(
            name="linux-arm64", deployables=("worker",), machine=_machine("aarch64-manylinux_2_28")
        ),
        Target(
            name="linux-x86_64", deployables=("worker",), machine=_machine("x86_64-manylinux_2_28")
        ),
    )
}


def stage(target: Target, deployable: str) -> bool:
    """Makes one folder, or leaves it when nothing that it is made of has changed."""
    sources = closure.files_of(deployable, ROOT)
    wheels = _requirements(GROUPS[deployable])
    made_of = tree.digest(sources, ROOT, target.name, *target.machine, wheels, *_the_tool_itself())
    place = BUILD / target.name / deployable
    receipt = RECEIPTS / f"{target.name}-{deployable}.json"
    if _stands(receipt, made_of, place):
        return False
    fresh = place.with_name(f".{deployable}-{os.getpid()}")
    shutil.rmtree(fresh, ignore_errors=True)
    _install(wheels, target, fresh)
    for source in sources:
        destination = fresh / source.relative_to(ROOT)
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, destination)
    slim.drop_unspoken_services(fresh, sources)
    tree.make_plain(fresh)
    _swap(fresh, place)
    holds = tree.digest(tree.files_below(place), place)
    receipt.write_text(json.dumps({"made_of": made_of, "holds": holds}))
    return True


@contextmanager
def _alone() -> Iterator[None]:
    """Two builds at once would swap folders under each other, so the second waits."""
    RECEIPTS.mkdir(parents=True, exist_ok=True)
    with (RECEIPTS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _stands(receipt: Path, made_of: str, place: Path) -> bool:
    """True when the folder is what this very input made, untouched since."""
    if not receipt.is_file() or not place.is_dir():
        return False
    said = json.loads(receipt.read_text())
    if said["made_of"] != made_of:
        return False
    for compiled in sorted(place.rglob("__pycache__")):  # somebody ran it where it lies
        shutil.rmtree(compiled)
    return bool(said["holds"] == tree.digest(tree.files_below(place), place))


def _swap(fresh: Path, place: Path) -> None:
    """Whoever looks sees the old folder or the new one, but for the instant between two renames."""
    old = place.with_name(f"{fresh.name}-old")
    if place.exists():
        place.rename(old)
    fresh.rename(place)
    shutil.rmtree(old, ignore_errors=True)


def _the_tool_itself() -> Sequence[str]:
    here = Path(__file__).parent
    return [tree.digest(here.glob("*.py"), here), f"{sys.version_info[0]}.{sys.version_info[1]}"]


def _requirements(group: str) -> str:
    """What uv.lock says the group and the project's own dependencies are, with every hash."""
    return _uv(
        "export", "--frozen", "--quiet", "--no-default-groups", "--group", group,
        "--no-emit-project", "--no-header", "--no-annotate",
    )  # fmt: skip


def _install(requirements: str, target: Target, place: Path) -> None:
    listed = RECEIPTS / f"{target.name}-{place.name}.txt"
    listed.write_text(requirements)
    machine = target.machine or ("--python", sys.executable)
    _uv(
        "pip", "install", "--quiet", "--target", str(place), *machine, "--no-deps",
        "--only-binary", ":all:", "--require-hashes", "--link-mode", "copy", "-r", str(listed),
    )  # fmt: skip
    listed.unlink()


def _uv(*arguments: str) -> str:
    own = ROOT / ".tools" / "uv" / "bin" / "uv"
    command = own if own.is_file() else shutil.which("uv")
    if command is None:
        sys.exit("uv is missing: run `make setup`, which brings it.")
    done = subprocess.run(
        [command, *arguments], cwd=ROOT, check=False, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"uv {arguments[0]} failed:\n{done.stderr}")
    return done.stdout


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m build_tools.stage", description=__doc__)
    parser.add_argument("targets", nargs="+", choices=sorted(TARGETS), metavar="TARGET")
    chosen = dict.fromkeys(parser.parse_args(arguments).targets)
    with _alone():
        for target, deployable in [(TARGETS[t], d) for t in chosen for d in TARGETS[t].deployables]:
            begun = time.monotonic()
            done = "staged in" if stage(target, deployable) else "stands, checked in"
            place = (BUILD / target.name / deployable).relative_to(ROOT)
            print(f"{place}  {done} {time.monotonic() - begun:.1f} s")


if __name__ == "__main__":
    main()
