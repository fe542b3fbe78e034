"""A plan says when the frames of still pictures are shown: a chunk knows its own frames alone."""

import msgspec
import pytest

from mayfly.core import limits, parts
from tests.unit.given import PLAN

STILLS = (126_000, 600_000)


def test_every_chunk_is_told_of_every_still() -> None:
    plan = msgspec.structs.replace(PLAN, stills=STILLS)
    assert [plan.scope(number).stills for number in range(plan.chunks)] == [STILLS] * plan.chunks
    assert parts.flaw(plan) == ""


@pytest.mark.parametrize(
    ("stills", "says"),
    [
        ((2**63,), "64 bits"),
        ((-(2**63),), "64 bits"),
        ((0,) * (limits.STILLS_MAX + 1), "129 still pictures, at most 128"),
        ((limits.TICKS_MAX,) * limits.STILLS_MAX, ""),
    ],
)
def test_stills_beyond_what_a_plan_may_hold_are_refused(stills: tuple[int, ...], says: str) -> None:
    flaw = parts.flaw(msgspec.structs.replace(PLAN, stills=stills))
    assert says in flaw and bool(says) == bool(flaw)
