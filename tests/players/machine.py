"""Whose fault it is that a film came late: the ladder's, or that of whoever else has the machine.

A film is played in its own time or not at all. What comes late is looked at again, since a ladder
that is broken is so each time; and where it never came in time, on a machine that others had half
of, nobody can say. What a ladder lacks that can be seen at leisure must not be told as late.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tests.players.watching import Late

T = TypeVar("T")

#: A machine that is idle for less of its time may be too slow to play: others take it in bursts,
#: and half a second of all of it is enough. A browser that plays takes a tenth itself.
_IDLE_MIN = 0.5
_LOOKS = 4

#: How long its processors have been idle until now, and how long there have been any.
Clock = tuple[int, int]


class Busy(Exception):
    """Nobody can say: others had too much of this machine."""


def linux() -> Clock:
    """Of this machine, in ticks; a machine that does not tell has always been idle."""
    try:
        told = Path("/proc/stat").read_text().split(maxsplit=9)[1:9]
    except OSError:
        return (0, 0)
    times = [int(ticks) for ticks in told]
    return (times[3] + times[4], sum(times))


def in_time(look: Callable[[], T], clock: Callable[[], Clock] = linux) -> T:
    """What was seen. Raises Late, or Busy; any other failure is the first look's."""
    idle = []
    while True:
        before = clock()
        try:
            return look()
        except Late as late:
            idle.append(_idle(before, clock()))
            if len(idle) < _LOOKS:
                continue
            if max(idle) < _IDLE_MIN:
                raise Busy(f"This machine is too busy to play a film. {late}") from None
            raise


def _idle(before: Clock, after: Clock) -> float:
    whole = after[1] - before[1]
    return (after[0] - before[0]) / whole if whole else 1.0
