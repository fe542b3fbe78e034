"""What comes late once is forgiven; what comes late each time is not, but on a busy machine."""

import itertools
from collections.abc import Callable

import pytest

from tests.players import machine
from tests.players.watching import Late, NotPlayed


def clock(idle: float) -> Callable[[], machine.Clock]:
    """Of a machine that is idle for so much of its time."""
    ticks = itertools.count(step=100)
    return lambda: (round((at := next(ticks)) * idle), at)


def looks(*seen: Exception | str) -> Callable[[], str]:
    """One after the other."""
    left = iter(seen)

    def look() -> str:
        found = next(left)
        if isinstance(found, Exception):
            raise found
        return found

    return look


@pytest.mark.parametrize("idle", [0, 0.9])
def test_what_is_late_once_is_looked_at_again(idle: float) -> None:
    assert machine.in_time(looks(Late("a wait"), "played"), clock(idle)) == "played"


def test_what_is_late_each_time_fails_where_there_was_time_for_it() -> None:
    with pytest.raises(Late, match="a wait"):
        machine.in_time(looks(*[Late("a wait")] * 4), clock(0.6))


@pytest.mark.parametrize("idle", [0, 0.4])
def test_nobody_can_say_on_a_machine_that_others_have(idle: float) -> None:
    with pytest.raises(machine.Busy, match="a wait"):
        machine.in_time(looks(*[Late("a wait")] * 4), clock(idle))


@pytest.mark.parametrize("wrong", [NotPlayed("no such file"), AssertionError("30 ms")])
def test_any_other_failure_stands_however_busy_the_machine_is(wrong: Exception) -> None:
    with pytest.raises(AssertionError, match=str(wrong)):
        machine.in_time(looks(wrong, "played"), clock(0))


def test_this_machines_clock_goes_forward() -> None:
    before, after = machine.linux(), machine.linux()
    assert all(one <= other for one, other in zip(before, after, strict=True))
