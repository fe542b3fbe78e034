"""What every test lives under: loopback only, one folder of clips, one scene at a time."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent

#: Addresses that lead nowhere outside this machine.
_LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0", "::ffff:127.")


class NetworkForbidden(BaseException):
    """A test reached out. A BaseException, so that no retry of a client hides it."""


def _guard(original: Any) -> Any:
    def connect(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(address):
            raise NetworkForbidden(f"A test connects to {address!r}; only loopback is allowed.")
        return original(self, address)

    return connect


def _is_loopback(address: Any) -> bool:
    return isinstance(address, tuple) and str(address[0]).startswith(_LOOPBACK)


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """Whatever a library does, it does not leave this machine."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, _guard(getattr(socket.socket, name)))
        patch.setattr(socket, "getaddrinfo", _only_local_names(socket.getaddrinfo))
        yield


def _only_local_names(original: Any) -> Any:
    def getaddrinfo(host: Any, *rest: Any, **named: Any) -> Any:
        text = host.decode() if isinstance(host, bytes) else host
        if text is not None and not str(text).startswith(_LOOPBACK) and text != "::":
            raise NetworkForbidden(f"A test looks up {text!r}; only loopback is allowed.")
        return original(host, *rest, **named)

    return getaddrinfo


@pytest.fixture(autouse=True, scope="session")
def ctrl_c() -> None:
    """A shell lets what it starts in the background ignore Ctrl-C, and our children inherit it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test can reach an AWS account by way of what the machine happens to have."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="session")
def media() -> Path:
    """The folder of real clips, for tests that want more than generated ones."""
    folder = Path(os.environ.get("MAYFLY_MEDIA", ROOT.parent / "shared" / "media"))
    if not folder.is_dir():
        pytest.skip(f"no clips in {folder}: set MAYFLY_MEDIA to a folder of real clips")
    return folder


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Scenes of the whole system share one group, so two never run at once on a small machine.

    They come first: they take longest, and beside them the other process does all the rest.
    """
    for item in items:
        if _is_scene(item):
            item.add_marker(pytest.mark.e2e)
            if not any(item.iter_markers("xdist_group")):
                item.add_marker(pytest.mark.xdist_group("e2e"))
    items.sort(key=lambda item: not _is_scene(item))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How much was searched: each block of seeds says so of itself, whatever process it ran in."""
    for name, told in (
        ("lives", "simulated: {1} lives from seed {0} on, {2} jobs"),
        ("matrix", "matrix: {1} sources from seed {0} on, {2} of them cut"),
    ):
        blocks = _blocks(terminalreporter, name)
        if blocks:
            sums = (sum(block[index] for block in blocks) for index in (1, 2))
            terminalreporter.write_line(told.format(min(block[0] for block in blocks), *sums))


def _blocks(terminalreporter: pytest.TerminalReporter, name: str) -> list[tuple[int, int, int]]:
    passed = terminalreporter.getreports("passed")
    return [told for report in passed for its, told in report.user_properties if its == name]


def _is_scene(item: pytest.Item) -> bool:
    return (ROOT / "tests" / "e2e") in item.path.parents
