"""Whether work that is under way can end before its machine goes, by how it has gone so far. Pure.

What is stopped is lost and done again elsewhere. What goes on and does not end in time is lost as
well, and with it the seconds that it went on for. So it goes on where that is likely to lose less.
Asked again and again, so that work which slows down is stopped as soon as that shows; and always
in time for somebody to be told.
"""

import dataclasses

from mayfly.core import limits

#: Work of so few seconds is given up unless its end is known: it is soon done again.
_HARDLY_SECONDS = 0.5
#: A part of a plan was cut so as to fit, so it has this time to show its pace, unless it is so many
#: times too slow.
_LEARN_SECONDS = 20.0
_HOPELESS = 3.0
#: What follows the encode does not take long, and all that could be lost is done.
_NEARLY_DONE = ("proving", "storing")
#: Scenes differ: what is left needs so much less or more than it would at the pace so far.
_ASTRAY = 0.2
#: When it does not fit after all, that shows on the way, by the slower pace: about here.
_SHOWS_AFTER = 0.5
#: A shorter time says little of the present pace: frames come out in heaps, and machines are busy.
_PACE_SECONDS = 20.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One attempt, at one moment after its worker was told to leave."""

    #: From its beginning until then.
    worked_seconds: float
    #: Since then.
    told_seconds: float
    #: Until it must have ended, or stop.
    left_seconds: float
    stage: str
    #: Part of a plan.
    is_part: bool = False
    #: Of the stage that encodes, and how much of it a second brings; None: nobody knows yet.
    fraction: float = 0.0
    rate: float | None = None
    #: What it has gained of late, in how long.
    gained: float = 0.0
    gained_seconds: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """What is best now."""

    goes_on: bool
    why: str


def choose(seen: Seen) -> Choice:
    """Whether it goes on, until it is asked again."""
    if seen.left_seconds <= 0:
        return Choice(False, "its time is over")
    if seen.stage in _NEARLY_DONE:
        return Choice(True, "it is encoded, and not stored yet")
    needs_seconds = _needs_seconds(seen)
    if needs_seconds is None:
        return _blind(seen)
    sides = f"it needs about {needs_seconds:.0f} s and has {seen.left_seconds:.0f} s"
    learns = seen.is_part and seen.told_seconds < _LEARN_SECONDS
    may_fit = learns and needs_seconds < _HOPELESS * seen.left_seconds
    return Choice(may_fit or _is_worth_it(seen, needs_seconds), sides)


def _needs_seconds(seen: Seen) -> float | None:
    """Until all of it is stored, at the slower of its paces: all along, and of late."""
    rate = seen.rate
    if rate is None:
        return None
    if seen.gained_seconds >= _PACE_SECONDS:
        rate = min(rate, seen.gained / seen.gained_seconds)
    if rate <= 0:
        return float("inf")
    return (1 - seen.fraction) / rate + limits.CHUNK_COST_SECONDS


def _is_worth_it(seen: Seen, needs_seconds: float) -> bool:
    """Whether going on loses less, on average, than stopping now."""
    least, most = needs_seconds * (1 - _ASTRAY), needs_seconds * (1 + _ASTRAY)
    if seen.left_seconds <= least:
        return False
    likely = min(1.0, (seen.left_seconds - least) / (most - least))
    stopping_loses = seen.worked_seconds + seen.told_seconds
    failing_loses = stopping_loses + _SHOWS_AFTER * seen.left_seconds
    return (1 - likely) * failing_loses < stopping_loses


def _blind(seen: Seen) -> Choice:
    """While it is fetched, and until its first frames are out, nobody knows. It is given as long
    again as it had worked: in that time more may be known, and a wrong guess costs twice at most
    what stopping at once would have. A part most likely fits, and so is given more."""
    if seen.worked_seconds < _HARDLY_SECONDS:
        return Choice(False, "it had hardly begun")
    patience_seconds = max(seen.worked_seconds, _LEARN_SECONDS * seen.is_part)
    return Choice(seen.told_seconds <= patience_seconds, "nobody knows how long it takes")
