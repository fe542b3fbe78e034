"""The command doctor: what a person would be asked for first."""

import platform
from collections.abc import Callable
from typing import Any

import typer

from console import ends, options, reach
from console.ends import speaking


def doctor(stack: options.StackName = None, as_json: options.AsJson = False) -> None:
    """Look whether everything is here: tools, libraries, a stack. Exit 3 if something is missing.

    JSON: {"checks": [{"name", "good", "found", "advice"}]}.
    """
    with speaking(as_json) as voice:
        checks = [
            _check("python", platform.python_version),
            _check("ffmpeg", _ffmpeg),
            _check("ffprobe", _ffprobe),
            _check("node (for CDK)", _node),
            *(_check(name, _version_of(name)) for name in ("msgspec", "boto3", "ministack")),
            _check("stack", lambda: _stack(stack)),
        ]
        voice.document({"checks": checks})
        voice.table(
            ("", "CHECK", "FOUND"),
            [
                ("ok" if c["good"] else "--", c["name"], " ".join(filter(None, _words(c))))
                for c in checks
            ],
        )
        if not all(check["good"] for check in checks):
            raise typer.Exit(ends.NO_STACK)


def _words(check: dict[str, Any]) -> tuple[str, str]:
    return str(check["found"]), str(check["advice"])


def _check(name: str, look: Callable[[], str]) -> dict[str, Any]:
    try:
        return {"name": name, "good": True, "found": look(), "advice": ""}
    except Exception as error:  # noqa: BLE001 - a doctor reports whatever is wrong
        advice = getattr(error, "advice", "")
        return {"name": name, "good": False, "found": str(error), "advice": advice}


def _ffmpeg() -> str:
    from local import tools

    return str(tools.ffmpeg_path())


def _ffprobe() -> str:
    from local import tools

    return str(tools.ffprobe_path())


def _node() -> str:
    from local import tools

    return str(tools.node_path())


def _version_of(package: str) -> Callable[[], str]:
    from importlib import metadata

    return lambda: metadata.version(package)


def _stack(name: str | None) -> str:
    at = reach.reach(name)
    return f"{at.name} on {at.where}, bucket {at.bucket}"
