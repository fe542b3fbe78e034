"""Every claim of this folder is made in each world that a test asks for.

A claim that an emulator breaks is expected to fail there (strictly, so that the day it is mended
is seen); memory takes AWS's documented side.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from moto import mock_aws

from mayfly.aws import clients
from mayfly.perform.ports import Queue
from tests.contract.gaps import GAPS
from tests.contract.worlds import AwsWorld, MemoryWorld, World

_EMBEDDED = pytest.param("embedded", marks=pytest.mark.embedded)

Expect = Callable[[str], None]


@pytest.fixture(autouse=True)
def _laptop_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the caller's environment says, no test reaches an account."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")


@pytest.fixture(scope="session")
def made() -> dict[tuple[str, str], Any]:
    """Clients by world and service: making one takes longer than most tests."""
    return {}


@pytest.fixture(scope="session")
def embedded_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One embedded AWS for the whole run, started when first asked for."""
    from local import embedded

    with embedded.start(tmp_path_factory.mktemp("aws")) as running:
        yield running.endpoint_url


@pytest.fixture(params=["memory", "moto", _EMBEDDED])
def world(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    made: dict[tuple[str, str], Any],
) -> Iterator[World]:
    """A world with nothing in it; `@in_worlds(...)` names others than all three."""
    kind = request.param

    def client(service: str) -> Any:
        if (kind, service) not in made:
            made[kind, service] = clients.make(service)
        return made[kind, service]

    if kind == "memory":
        yield MemoryWorld()
    elif kind == "moto":
        with mock_aws():
            yield AwsWorld(kind, client)
    else:
        monkeypatch.setenv("AWS_ENDPOINT_URL", request.getfixturevalue("embedded_url"))
        yield AwsWorld(kind, client)


@pytest.fixture
def queue(world: World) -> Queue:
    return world.queue()


@pytest.fixture
def brief(world: World) -> Queue:
    """A queue that hides a message for a second."""
    return world.queue(visibility_seconds=1)


@pytest.fixture
def gap(request: pytest.FixtureRequest, world: World) -> Expect:
    """`gap(name)`: this claim does not hold where `gaps.py` says so."""

    def expect_failure(name: str) -> None:
        known = GAPS[name]
        assert world.kind not in known.unasked
        if instead := known.instead.get(world.kind):
            request.applymarker(pytest.mark.xfail(reason=f"{world.kind}: {instead}", strict=True))

    return expect_failure
