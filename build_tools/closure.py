"""What a deployable is made of: its own package and the parts of `mayfly` that it imports, no more.

Worked out from the import statements, so that no list has to be kept: a new import ships with the
next build, and a room that must never be shipped (the laptop, the console, the template) fails the
build by name when somebody reaches for it.
"""

from collections.abc import Iterator
from pathlib import Path

import grimp

#: The one room besides its own that a deployable may be made of.
SHARED_ROOM = "mayfly"

#: Every room of the repository that holds Python, so that a forbidden import is seen and named.
ROOMS = (
    "mayfly",
    "dispatcher",
    "completion_handler",
    "worker",
    "infra",
    "local",
    "console",
    "bench",
    "build_tools",
)


class Stray(Exception):
    """A deployable imports what must never be shipped."""


def files_of(deployable: str, root: Path) -> list[Path]:
    """The files of the repository that the deployable needs, in one order.

    A package brings its data files, and so do sub-packages that hold data beside an `__init__.py`
    (`mayfly.contract.presets`): those are read as resources, which no import statement shows.
    """
    graph = grimp.build_graph(*ROOMS, exclude_type_checking_imports=True, cache_dir=None)
    modules = _needed(graph, deployable)
    strays = sorted(name for name in modules if name.split(".")[0] not in (deployable, SHARED_ROOM))
    if strays:
        raise Stray(_why(graph, deployable, strays[0]))
    files = {path for name in modules for path in _files_of_module(root / name.replace(".", "/"))}
    return sorted(files)


def _needed(graph: grimp.ImportGraph, deployable: str) -> set[str]:
    """What importing the deployable runs: importing `a.b` runs `a` too, and all that it imports."""
    found = {deployable, *graph.find_descendants(deployable)}
    waiting = sorted(found)
    while waiting:
        name = waiting.pop()
        imported = graph.find_modules_directly_imported_by(name)
        parents = {name.rpartition(".")[0]} - {""}
        new = (imported | parents) - found
        found |= new
        waiting.extend(sorted(new))
    return found


def _files_of_module(place: Path) -> Iterator[Path]:
    if not place.is_dir():
        yield place.with_suffix(".py")
        return
    yield place / "__init__.py"
    yield from _data_in(place)
    for child in place.iterdir():
        if (child / "__init__.py").is_file() and any(_data_in(child)):
            yield child / "__init__.py"
            yield from _data_in(child)


def _data_in(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if path.is_file() and path.suffix != ".py")


def _why(graph: grimp.ImportGraph, deployable: str, stray: str) -> str:
    chain = graph.find_shortest_chain(deployable, stray, as_packages=True) or (deployable, stray)
    return (
        f"{deployable} imports {stray}, which is never shipped ({' -> '.join(chain)}). "
        f"A deployable is made of its own package and {SHARED_ROOM}: "
        "move what is needed there, or drop the import."
    )
