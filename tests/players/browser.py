"""Debian's Chromium without a screen, driven through the driver that Debian ships beside it.

Whatever a test does, nothing of it is left running: the driver and what it starts are a session of
their own, which ends with the block that began it. It reaches loopback only, plays no sound on the
machine and leaves nothing in anybody's home.
"""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

from build_tools import players

#: hls.js and dash.js.
PACKAGES = players.PLACE / "node_modules"

_OPTIONS = (
    "--headless",
    "--no-sandbox",  # root has none
    "--disable-gpu",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
    "--window-size=500,400",
    "--no-first-run",
    # Without these it looks for its makers' hosts.
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
)

#: The page gives up by itself before.
_SCRIPT_SECONDS = 100


def what_is_missing() -> str:
    """Why nothing can be played here, in a sentence; empty if it can."""
    if any(shutil.which(program) is None for program in players.PROGRAMS):
        return f"There is no Chromium here. {players.HOW_TO_GET_THEM}."
    if not PACKAGES.is_dir():
        return "hls.js and dash.js are not here: make players."
    return ""


@contextmanager
def chromium(folder: Path) -> Iterator[Chrome]:
    """One that has never been started before, with its profile in a folder that is empty."""
    browser, driver = (shutil.which(program) for program in players.PROGRAMS)
    assert browser and driver
    options = ChromeOptions()
    options.binary_location = browser
    for option in (*_OPTIONS, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(option)
    service = Service(
        driver,
        env={**os.environ, "HOME": str(folder)},
        popen_kw={"start_new_session": True},
    )
    try:
        started = Chrome(options=options, service=service)
        try:
            started.set_script_timeout(_SCRIPT_SECONDS)
            yield started
        finally:
            started.quit()
    finally:
        # It says nothing of processes that are already gone.
        with suppress(ProcessLookupError, AttributeError):
            os.killpg(service.process.pid, signal.SIGKILL)
