"""What ECS, S3 and EventBridge in memory do on each branch that AWS's documents leave open."""

import random
from typing import Any

import pytest

from mayfly.memory.branches import Branches, Taken
from mayfly.memory.bus import MemoryBus
from mayfly.memory.clock import VirtualClock
from mayfly.memory.services import CALLS_MAX, CALLS_PER_SECOND, MemoryServices
from mayfly.memory.store import MemoryStore
from mayfly.perform.ports import Conflict, Gone, ServiceWanted, Temporary

NAME = "mayfly-small-1"


def wanted(name: str = NAME, desired: int = 1) -> ServiceWanted:
    return ServiceWanted(
        name=name,
        pool="small",
        task_definition="worker:1",
        desired=desired,
        capacity_provider="FARGATE_SPOT",
        client_token=name,
        tags={"mayfly:stack": "mayfly"},
    )


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(start=0)


def ecs(clock: VirtualClock, **fields: Any) -> MemoryServices:
    chance = random.Random(2)
    return MemoryServices(clock, branches=Branches(**fields), chance=chance)


def test_a_new_service_may_be_unseen_and_yet_be_resized(clock: VirtualClock) -> None:
    services = ecs(clock, service_unseen_seconds=5)
    services.create(wanted())
    services.resize(NAME, 2)
    assert services.describe([NAME]) == []
    assert services.tagged() == []
    clock.sleep(5)
    assert [seen.desired for seen in services.describe([NAME])] == [2]


def test_a_new_service_may_be_unknown_to_every_call(clock: VirtualClock) -> None:
    """The worst of it: a deletion that did nothing looks as one that was not needed."""
    services = ecs(clock, service_unseen_seconds=5, unseen_service_is_gone=True)
    services.create(wanted())
    with pytest.raises(Gone):
        services.resize(NAME, 0)
    services.delete(NAME)
    services.create(wanted(desired=3))
    clock.sleep(5)
    assert [(seen.status, seen.desired) for seen in services.describe([NAME])] == [("ACTIVE", 1)]
    services.resize(NAME, 0)
    services.delete(NAME)


def test_a_service_may_be_described_before_it_is_listed(clock: VirtualClock) -> None:
    services = ecs(clock, service_unlisted_seconds=60)
    services.create(wanted())
    assert len(services.describe([NAME])) == 1
    assert services.tagged() == []
    clock.sleep(60)
    assert len(services.tagged()) == 1


def test_what_is_described_may_be_of_a_while_ago(clock: VirtualClock) -> None:
    services = ecs(clock, service_lag_seconds=30)
    services.create(wanted())
    for desired in (2, 3):
        clock.sleep(10)
        services.resize(NAME, desired)
    clock.sleep(10)
    told = {services.describe([NAME])[0].desired for _ in range(40)}
    assert told == {1, 2, 3}
    clock.sleep(25)
    services.keep(NAME, 0)
    assert {services.describe([NAME])[0].desired for _ in range(40)} == {3}
    assert len(services._services[NAME].told) <= 3


@pytest.mark.parametrize("kept", [0.0, 3600.0])
def test_an_inactive_service_may_be_forgotten(clock: VirtualClock, kept: float) -> None:
    services = ecs(clock, inactive_kept_seconds=kept)
    services.create(wanted(desired=0))
    services.keep(NAME, 1)
    services.delete(NAME)
    clock.sleep(7200)
    assert [seen.status for seen in services.describe([NAME])] == ["DRAINING"]
    services.keep(NAME, 0)
    assert len(services.describe([NAME])) == (1 if kept else 0)
    clock.sleep(kept)
    assert services.describe([NAME]) == []
    services.delete(NAME)
    with pytest.raises(Gone):
        services.resize(NAME, 1)
    services.create(wanted())
    assert [seen.status for seen in services.describe([NAME])] == ["ACTIVE"]


@pytest.mark.parametrize("words", list(Taken))
def test_a_draining_name_is_refused_in_either_words(clock: VirtualClock, words: Taken) -> None:
    services = ecs(clock, draining_name=words)
    services.create(wanted(desired=0))
    services.keep(NAME, 1)
    services.delete(NAME)
    if words is Taken.DRAINING:
        with pytest.raises(Temporary):
            services.create(wanted(desired=2))
    else:
        services.create(wanted(desired=2))
    assert [(seen.status, seen.desired) for seen in services.describe([NAME])] == [("DRAINING", 0)]


@pytest.mark.parametrize("left", [CALLS_MAX, 5])
def test_calls_beyond_the_accounts_rate_are_put_off(clock: VirtualClock, left: int) -> None:
    services = ecs(clock, service_calls_left=left)
    for number in range(left):
        services.create(wanted(f"{NAME}{number}"))
    with pytest.raises(Temporary):
        services.create(wanted())
    with pytest.raises(Temporary):
        services.resize(f"{NAME}0", 0)
    with pytest.raises(Temporary):
        services.delete(f"{NAME}0")
    assert len(services.describe([f"{NAME}0", NAME])) == 1
    clock.sleep(1 / CALLS_PER_SECOND)
    services.resize(f"{NAME}0", 0)
    with pytest.raises(Temporary):
        services.delete(f"{NAME}0")
    clock.sleep(3600)
    for _ in range(left):
        services.delete(f"{NAME}0")
    with pytest.raises(Temporary):
        services.delete(f"{NAME}0")


def test_the_later_of_two_resizings_counts(clock: VirtualClock) -> None:
    services = ecs(clock)
    services.create(wanted())
    services.resize(NAME, 5)
    services.resize(NAME, 2)
    assert services.describe([NAME])[0].desired == 2


def s3(**fields: Any) -> MemoryStore:
    chance = random.Random(2)
    return MemoryStore(branches=Branches(**fields), chance=chance)


def stored(store: MemoryStore) -> tuple[bytes, str]:
    """What is there under the one key of these tests, and its ETag."""
    found = store.read("b", "k")
    assert found is not None
    return found


def test_a_conditional_write_may_be_refused_although_its_condition_holds() -> None:
    store = s3(write_race_rate=1.0)
    with pytest.raises(Conflict, match="409"):
        store.write("b", "k", b"1", content_type="x", if_absent=True)
    assert store.read("b", "k") is None
    store.write("b", "k", b"1", content_type="x")
    with pytest.raises(Conflict, match="409"):
        store.write("b", "k", b"2", content_type="x", if_match=stored(store)[1])
    assert stored(store)[0] == b"1"


def test_a_conditional_write_that_is_asked_again_may_meet_its_own_effect() -> None:
    store = s3(asked_again_rate=1.0)
    with pytest.raises(Conflict, match="412"):
        store.write("b", "k", b"1", content_type="x", if_absent=True)
    with pytest.raises(Conflict, match="412"):
        store.write("b", "k", b"2", content_type="x", if_match=stored(store)[1])
    assert stored(store)[0] == b"2"
    store.write("b", "k", b"2", content_type="x", if_match=stored(store)[1])
    store.write("b", "k", b"3", content_type="x")
    assert stored(store)[0] == b"3"


def test_an_event_may_be_put_twice() -> None:
    bus = MemoryBus(branches=Branches(asked_again_rate=1.0))
    bus.publish("a", b"{}")
    assert bus.published == [("a", b"{}")] * 2
