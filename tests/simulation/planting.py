"""Runs the simulator over code with one bug in it: `python -m tests.simulation.planting NUMBER`.

The bug is put into a module's text on its way from disk to the interpreter, so the tree never
changes. That needs a process of its own, in which nothing of ours was imported before; its answer
is one line of JSON. It must not import the code under test itself.
"""

import argparse
import dataclasses
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import CodeType, ModuleType

from tests.simulation.planted import Bug, bug_of

ROOT = Path(__file__).resolve().parents[2]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Hunted:
    """What came of the search for one bug."""

    number: int
    #: The first seed that broke a law; None when none of them did.
    seed: int | None
    #: Lives that were lived, that one included.
    lives: int
    #: Of CPU.
    seconds: float
    violation: str


class Stale(Exception):
    """The code has moved on: what the bug replaces is not there exactly once."""


def altered(bug: Bug) -> Mapping[str, str]:
    """The text of each module that the bug changes, by file. Raises Stale."""
    texts: dict[str, str] = {}
    for file, old, new in bug.changes:
        was = texts.get(file) or (ROOT / file).read_text()
        if (count := was.count(old)) != 1:
            raise Stale(f"Bug {bug.number}: {file} has {count} times:\n{old}")
        texts[file] = was.replace(old, new)
    return texts


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a module from another text than its file's, and leaves no compiled trace of it."""

    def __init__(self, name: str, path: str, text: str) -> None:
        super().__init__(name, path)
        self._text = text

    def get_code(self, fullname: str) -> CodeType:
        """Compiled anew."""
        return compile(self._text, self.path, "exec", dont_inherit=True)


class Planter(importlib.abc.MetaPathFinder):
    """Finds the altered modules before anybody else does."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = {_module(file): (file, text) for file, text in texts.items()}
        if early := sorted(set(self._texts) & set(sys.modules)):
            raise RuntimeError(f"Too late to plant anything in {', '.join(early)}.")
        #: Modules that were loaded altered.
        self.loaded: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """As importlib asks."""
        if fullname not in self._texts:
            return None
        file, text = self._texts[fullname]
        self.loaded.add(fullname)
        loader = _Loader(fullname, str(ROOT / file), text)
        return importlib.util.spec_from_file_location(fullname, ROOT / file, loader=loader)

    @property
    def missed(self) -> list[str]:
        """Modules that nobody has imported: nothing was planted in them."""
        return sorted(set(self._texts) - self.loaded)


def _module(file: str) -> str:
    return file.removesuffix(".py").replace("/", ".")


def hunt(bug: Bug, first: int, seeds: int) -> Hunted:
    """Lives with the bug, until one breaks a law."""
    planter = Planter(altered(bug))
    sys.meta_path.insert(0, planter)
    life = importlib.import_module("tests.simulation.life")
    if planter.missed:
        raise RuntimeError(f"Bug {bug.number} is in what nobody runs: {planter.missed}")
    began, number = time.process_time(), bug.number
    for seed in range(first, first + seeds):
        if wrong := life.live(seed).violations:
            seconds = time.process_time() - began
            return Hunted(
                number=number, seed=seed, lives=seed - first + 1, seconds=seconds,
                violation=wrong[0],
            )  # fmt: skip
    seconds = time.process_time() - began
    return Hunted(number=number, seed=None, lives=seeds, seconds=seconds, violation="")


def main() -> None:
    """Answers on stdout."""
    parser = argparse.ArgumentParser(prog="planting", description=__doc__)
    parser.add_argument("number", type=int)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=1000)
    asked = parser.parse_args()
    print(json.dumps(dataclasses.asdict(hunt(bug_of(asked.number), asked.first, asked.seeds))))


if __name__ == "__main__":
    main()
