"""Which ticks of a source belong to which frame of a grid, and what plans may say of it."""

from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.contract.ladder import SEGMENTS_MAX
from mayfly.contract.plan import Grid, Plan
from mayfly.core import grids, limits, parts

RATES = [(25, 1), (30000, 1001), (24000, 1001), (60, 1), (25, 2), (120, 1), (1, 1)]
TICKS = [(1, 1000), (1, 90_000), (1, 12_800), (1001, 30_000), (1, 25), (1, 10), (1, 1)]

_grids = st.builds(
    Grid,
    rate=st.sampled_from(RATES),
    segment_frames=st.integers(1, 1200),
    zero_ticks=st.integers(-(10**12), 10**12),
)


@given(_grids, st.sampled_from(TICKS).map(lambda tick: Fraction(*tick)), st.integers(0, 10**7))
def test_a_frame_begins_with_the_first_tick_that_is_nearer_to_it(
    grid: Grid, time_base: Fraction, frame: int
) -> None:
    tick = grids.tick_of(frame, grid, time_base)
    assert grids.frame_of(tick, grid, time_base) >= frame
    assert grids.frame_of(tick - 1, grid, time_base) < frame
    moment, one = (tick - grid.zero_ticks) * time_base, 1 / Fraction(*grid.rate)
    assert moment >= (frame - Fraction(1, 2)) * one > moment - time_base


@given(_grids, st.sampled_from(TICKS), st.integers(1, 10**5))
def test_a_cut_tells_its_segment_where_a_tick_is_shorter_than_half_of_one(
    grid: Grid, tick: tuple[int, int], segment: int
) -> None:
    frames_a_tick = Fraction(*tick) * Fraction(*grid.rate)
    plan = plan_of(grid=grid, time_base=tick)
    if grid.segment_frames > 2 * frames_a_tick + 1:
        assert grids.segment_at(grids.cut_at(segment, plan.clock), plan.clock) == segment


GRID = Grid(rate=(25, 1), segment_frames=100, zero_ticks=500)


def plan_of(**changed: Any) -> Plan:
    """Cut where the third and the fifth segment begin."""
    plan = Plan(
        time_base=(1, 1000),
        origin_ticks=490,
        margin_seconds=3.0,
        boundaries=(500 + 8000 - 20, 500 + 16_000 - 20),
        grid=GRID,
    )
    return msgspec.structs.replace(plan, **changed)


def test_chunks_are_whole_segments() -> None:
    plan = plan_of()
    assert parts.flaw(plan) == ""
    assert [grids.segments_of(plan.scope(n)) for n in range(3)] == [(0, 2), (2, 4), (4, None)]
    assert plan.scope(1).clock.grid == GRID


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"boundaries": (8480, 16_481)}, "inside of a segment"),
        ({"boundaries": (8479, 16_480)}, "inside of a segment"),
        ({"boundaries": (480, 16_480)}, "cuts at the segments 0 to 4"),
        ({"boundaries": (500 + SEGMENTS_MAX * 4000 - 20,)}, f"{SEGMENTS_MAX}"),
        ({"grid": {"rate": (0, 1)}}, "a grid of 0/1"),
        ({"grid": {"rate": (25, 0)}}, "a grid of 25/0"),
        ({"grid": {"rate": (limits.TIMESCALE_MAX + 1, 1)}}, "a grid of"),
        ({"grid": {"segment_frames": 0}}, "segments of 0"),
        ({"grid": {"segment_frames": limits.SEGMENT_FRAMES_MAX + 1}}, "segments of 1201"),
        ({"grid": {"zero_ticks": 2**63}}, "64 bits"),
    ],
)
def test_a_grid_that_cannot_be_is_refused(changed: dict[str, Any], says: str) -> None:
    if isinstance(changed.get("grid"), dict):
        changed = {"grid": msgspec.structs.replace(GRID, **changed["grid"])}
    assert says in parts.flaw(plan_of(**changed))
