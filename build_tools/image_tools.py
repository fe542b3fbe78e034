"""What docker, podman and buildah each want to hear for the same few wishes.

The only place that knows their command lines. Nothing in here decides what is in the image.
"""

import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

#: What the base made from packages is called in the tool's storage.
OWN_BASE = "localhost/mayfly-debian:trixie"
#: Every file and the image itself bear this time: the same content gives the same digest.
CREATED_AT_SECONDS = 0
#: The best that all the tools offer; 25 s for our image, once a release.
ZSTD_LEVEL = 19

HOW_TO_GET_ONE = (
    "On Debian or Ubuntu: apt-get install --no-install-recommends buildah debootstrap"
    " (then `--base debootstrap` needs no registry either)."
)


class Unable(Exception):
    """The image cannot be built here; the sentence says what is missing and how to get it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One image to build."""

    dockerfile: Path
    context: Path
    #: As the tools spell it: `linux/amd64`.
    platform: str
    #: The Dockerfile's ARGs.
    arguments: Mapping[str, str]
    tag: str
    #: True: take nothing from the tool's layer cache.
    fresh: bool
    #: `zstd` or `gzip`: how the layers travel.
    compress: str


class Tool(Protocol):
    """A builder of images."""

    def usable(self) -> bool:
        """True when it is installed and answers."""

    def base_from_packages(self, mirror: str, workplace: Path) -> str:
        """Makes Debian from a mirror, unless that was done before, and says its name."""

    def build(self, wish: Wish) -> None:
        """Builds it, under its tag, in the tool's own storage."""

    def write_layout(self, wish: Wish, folder: Path) -> None:
        """Writes what was built as an OCI layout."""

    def push(self, wish: Wish, reference: str) -> None:
        """Sends what was built to a registry."""


class Buildah:
    """buildah, and podman, whose commands for building are buildah's."""

    def __init__(self, name: str) -> None:
        self._name = name
        # As root the steps run in a plain chroot and need no OCI runtime. They also see this
        # machine's network: they fetch packages and nothing listens to them.
        root = os.geteuid() == 0
        self._confined = ["--isolation", "chroot", "--network", "host"] if root else []

    def usable(self) -> bool:
        return shutil.which(self._name) is not None

    def base_from_packages(self, mirror: str, workplace: Path) -> str:
        if _succeeds(self._name, "inspect", "--type", "image", OWN_BASE):
            return OWN_BASE
        with _debian(mirror, workplace) as archive:
            if self._name == "podman":
                _run("podman", "import", "--quiet", str(archive), OWN_BASE)
                return OWN_BASE
            container = _run("buildah", "from", "scratch").strip()
            try:
                _run("buildah", "add", "--quiet", container, str(archive), "/")
                _run("buildah", "commit", "--quiet", container, OWN_BASE)
            finally:
                _run("buildah", "rm", container)
        return OWN_BASE

    def build(self, wish: Wish) -> None:
        _show(
            self._name, "build", "--file", str(wish.dockerfile), "--tag", wish.tag,
            "--platform", wish.platform, "--format", "oci", "--layers",
            "--timestamp", str(CREATED_AT_SECONDS), *self._confined,
            # buildah 1.28 (Debian 12) knows TARGETARCH of itself, but this one not.
            f"--build-arg=BUILDPLATFORM={_this_platform()}",
            *(["--no-cache"] if wish.fresh else []), *_build_arguments(wish), str(wish.context),
        )  # fmt: skip

    def write_layout(self, wish: Wish, folder: Path) -> None:
        self._send(wish, f"oci:{folder}")

    def push(self, wish: Wish, reference: str) -> None:
        self._send(wish, f"docker://{reference}")

    def _send(self, wish: Wish, destination: str) -> None:
        level = ["--compression-level", str(ZSTD_LEVEL)] if wish.compress == "zstd" else []
        _show(
            self._name, "push", "--quiet", "--compression-format", wish.compress, *level,
            wish.tag, destination,
        )  # fmt: skip


class Docker:
    """docker with buildx, which has been part of it since version 23."""

    def usable(self) -> bool:
        return (
            shutil.which("docker") is not None
            and _succeeds("docker", "buildx", "version")
            and _succeeds("docker", "info")
        )

    def base_from_packages(self, mirror: str, workplace: Path) -> str:
        if not _succeeds("docker", "image", "inspect", OWN_BASE):
            with _debian(mirror, workplace) as archive:
                _run("docker", "import", str(archive), OWN_BASE)
        return OWN_BASE

    def build(self, wish: Wish) -> None:
        self._buildx(wish, "--load", "--tag", wish.tag, *(["--no-cache"] if wish.fresh else []))

    def write_layout(self, wish: Wish, folder: Path) -> None:
        # What `docker save` writes is an OCI layout since version 25; its layers are plain.
        folder.mkdir(parents=True)
        with tempfile.NamedTemporaryFile(suffix=".tar") as archive:
            _run("docker", "save", "--output", archive.name, wish.tag)
            _run("tar", "--extract", "--file", archive.name, "--directory", str(folder))

    def push(self, wish: Wish, reference: str) -> None:
        level = f"compression-level={ZSTD_LEVEL}," if wish.compress == "zstd" else ""
        self._buildx(
            wish,
            "--output",
            f"type=image,name={reference},push=true,oci-mediatypes=true,rewrite-timestamp=true,"
            f"compression={wish.compress},{level}force-compression=true",
        )

    def _buildx(self, wish: Wish, *ending: str) -> None:
        _show(
            "docker", "buildx", "build", "--file", str(wish.dockerfile),
            "--platform", wish.platform, "--provenance=false",
            f"--build-arg=SOURCE_DATE_EPOCH={CREATED_AT_SECONDS}",
            *_build_arguments(wish), *ending, str(wish.context),
        )  # fmt: skip


#: In this order they are tried.
TOOLS = ("docker", "podman", "buildah")


def pick(name: str) -> Tool:
    """The tool that was named, or with `auto` the first one that works."""
    tools: dict[str, Tool] = {
        "docker": Docker(),
        "podman": Buildah("podman"),
        "buildah": Buildah("buildah"),
    }
    for candidate in TOOLS if name == "auto" else [name]:
        if tools[candidate].usable():
            return tools[candidate]
    missing = "None of docker, podman and buildah works" if name == "auto" else f"No {name} works"
    raise Unable(f"{missing} here. {HOW_TO_GET_ONE}")


@contextmanager
def _debian(mirror: str, workplace: Path) -> Iterator[Path]:
    """Debian's smallest system as a tar file, made from a mirror with its signatures checked."""
    if shutil.which("debootstrap") is None:
        raise Unable(f"debootstrap is missing. {HOW_TO_GET_ONE}")
    if os.geteuid() != 0:
        raise Unable("debootstrap needs root. Use --base registry, or run this as root.")
    workplace.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="debian-", dir=workplace) as folder:
        root, archive = Path(folder, "root"), Path(folder, "root.tar")
        _show(
            "debootstrap", "--variant=minbase", "--force-check-gpg", "trixie", str(root),
            f"{mirror}/debian",
        )  # fmt: skip
        _run("tar", "--create", "--file", str(archive), "--directory", str(root), ".")
        yield archive


def _build_arguments(wish: Wish) -> list[str]:
    return [f"--build-arg={name}={value}" for name, value in wish.arguments.items()]


def _this_platform() -> str:
    machine = platform.machine()
    return "linux/" + {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def _run(*command: str) -> str:
    """Runs it silently and returns what it printed; its errors are shown."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _show(*command: str) -> None:
    """Runs it with its output on stderr, so that stdout is ours alone."""
    subprocess.run(command, check=True, stdout=2)
