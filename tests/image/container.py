"""Runs a program in the image's root as Fargate would, with nothing but the kernel's own means.

A mount and a process namespace of its own, the root read-only, an own /scratch, uid 1000 without a
capability, process number 1, the image's environment. The network is the machine's, so that a
stand-in for AWS on loopback can be reached; so are time and memory.

Started as a program it is the last step before the container's: it mounts, drops what it is, and
becomes the program.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_NAMESPACES = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]


def refusal() -> str:
    """Why this machine grants no namespaces and no mounts, or nothing."""
    command = [*_NAMESPACES, "mount", "-t", "tmpfs", "try", "/mnt"]
    tried = subprocess.run(command, check=False, capture_output=True, text=True)
    return tried.stderr.strip() if tried.returncode else ""


class Container:
    """A running one; what it prints goes to a file, so that it never waits for a reader."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def output(self) -> str:
        """All that it has printed."""
        return self._log.read_text()

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def terminate(self) -> None:
        """SIGTERM to its process number 1, and to it alone, as ECS does."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        os.kill(int(children.read_text()), signal.SIGTERM)

    def wait(self, seconds: float) -> int:
        """Its exit code; raises when it runs on."""
        return self._process.wait(seconds)


@contextmanager
def running(
    root: Path, config: Mapping[str, Any], log: Path, *argv: str, **env: str
) -> Iterator[Container]:
    """Runs `argv`, or the image's entry point; killed at the end if it still runs."""
    wish = {
        "root": str(root),
        "argv": list(argv) or config["Entrypoint"],
        "env": dict(pair.split("=", 1) for pair in config["Env"]) | env,
        "folder": config["WorkingDir"],
        "user": int(config["User"].split(":")[0]),
        "group": int(config["User"].split(":")[1]),
    }
    command = [*_NAMESPACES, sys.executable, "-I", __file__, json.dumps(wish)]
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as process,
    ):
        try:
            yield Container(process, log)
        finally:
            process.kill()


def _enter(wish: Mapping[str, Any]) -> None:
    root = Path(wish["root"])
    scratch = (root / "scratch").stat()
    owner = f"uid={scratch.st_uid},gid={scratch.st_gid},mode={scratch.st_mode & 0o7777:o}"
    _mount("--bind", str(root), str(root))
    # What is below is mounted before the root closes. The volume has the owner that the image gave
    # it, as on Fargate.
    _mount("-t", "tmpfs", "-o", owner, "scratch", f"{root}/scratch")
    _mount("-t", "proc", "proc", f"{root}/proc")
    _mount("-t", "tmpfs", "dev", f"{root}/dev")
    for device in ("null", "zero", "urandom"):
        (root / "dev" / device).touch()
        _mount("--bind", f"/dev/{device}", f"{root}/dev/{device}")
    _mount("-o", "remount,bind,ro", str(root))
    os.chroot(root)
    os.chdir(wish["folder"])
    _become(wish["user"], wish["group"])
    os.execve(wish["argv"][0], wish["argv"], wish["env"])


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def _become(user: int, group: int) -> None:
    """Capabilities go with the last of root's user ids."""
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)


def inside(root: Path, config: Mapping[str, Any], log: Path, *argv: str) -> str:
    """What a short program prints."""
    with running(root, config, log, *argv) as container:
        code = container.wait(60)
    assert code == 0, container.output
    return container.output


def python(program: str) -> Sequence[str]:
    """A command line for the image's Python."""
    return ["/usr/bin/python3", "-c", program]


if __name__ == "__main__":
    _enter(json.loads(sys.argv[1]))
