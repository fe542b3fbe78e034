"""Leaves out of a staged folder what its code cannot reach: botocore's word for 400 other services.

botocore describes every service of AWS, 28 MB of which a Lambda unpacks at each cold start and a
worker pulls at each hatch; ours speak to seven. Which ones is read from the source, so no list has
to be kept: a service stays when its name stands in the code that ships, as a whole string.
"""

import ast
import shutil
from collections.abc import Iterable
from pathlib import Path

#: botocore asks this one by itself, for credentials by role.
_ALWAYS = frozenset({"sts"})


def drop_unspoken_services(staged: Path, sources: Iterable[Path]) -> None:
    """Removes the description of each service that no shipped source names."""
    data = staged / "botocore" / "data"
    if not data.is_dir():
        return
    spoken = _ALWAYS | {text for source in sources for text in _strings_in(source)}
    for service in data.iterdir():
        if service.is_dir() and service.name not in spoken:
            shutil.rmtree(service)


def _strings_in(source: Path) -> set[str]:
    if source.suffix != ".py":
        return set()
    return {
        node.value
        for node in ast.walk(ast.parse(source.read_bytes()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
