"""Which grid a source gets, and where a ladder of it is cut."""

import random
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mayfly.contract.plan import Plan
from mayfly.contract.recipe import Box, LadderOutput, Recipe, Rung
from mayfly.core import grids, parts
from tests.worker.test_cuts import material
from worker import cuts
from worker.cuts import Policy
from worker.evenness import grid_of, last_frame, shown_seconds
from worker.picture import Size
from worker.probe import Stream
from worker.rungs import rungs_of

LADDER = LadderOutput(rungs=(Rung(box=Box(width=640, height=360)),), audio=None)


def rounded(rate: str, count: int, tick: Fraction, first: Fraction = Fraction(0)) -> list[int]:
    """Even frames, as a clock of such ticks has them."""
    return [round((first + number / Fraction(rate)) / tick) for number in range(count)]


MS, TS = Fraction(1, 1000), Fraction(1, 90_000)


@pytest.mark.parametrize("tick", [MS, TS, Fraction(1, 60_000)])
@pytest.mark.parametrize(
    "rate", ["25", "24000/1001", "24", "30000/1001", "30", "50", "60000/1001", "12", "25/2", "7"]
)
@pytest.mark.parametrize("said", ["right", "average", "nothing"])
def test_an_even_source_keeps_its_rate_and_each_of_its_frames(
    tick: Fraction, rate: str, said: str
) -> None:
    ticks = rounded(rate, 2000, tick, first=Fraction(17, 1000))
    average = f"{round(float(Fraction(rate)) * 997)}/997"
    source = material(
        ticks, tick=tick, rate={"right": rate, "average": average, "nothing": "0/0"}[said]
    )
    grid = grid_of(source, LADDER)
    assert Fraction(*grid.rate) == Fraction(rate)
    found = [grids.frame_of(one, grid, tick) for one in ticks]
    assert found == list(range(found[0], found[0] + 2000))
    assert last_frame(source, grid) == found[-1]
    assert shown_seconds(source, grid) == pytest.approx((found[-1] + 1) / Fraction(rate))


@given(st.integers(0, 5000), st.sampled_from(["25", "30000/1001", "50"]))
def test_the_grid_lies_through_the_first_frame_and_begins_where_the_clock_does(
    late_ms: int, rate: str
) -> None:
    """Half a frame behind the origin each second frame would fall to the wrong side."""
    source = material(rounded(rate, 100, MS, Fraction(late_ms, 1000)), rate=rate)
    grid = grid_of(source, LADDER)
    frames = [grids.frame_of(tick, grid, MS) for tick in source.scan.ticks]
    assert frames == list(range(frames[0], frames[0] + 100))
    assert frames[0] >= 0
    assert abs(grid.zero_ticks) * MS <= Fraction(1, 2) / Fraction(rate) + MS
    # So far does the picture move against the sound: half a frame, as on any grid.
    assert (
        abs(Fraction(late_ms, 1000) - frames[0] / Fraction(rate))
        <= Fraction(1, 2) / Fraction(rate) + MS
    )


@pytest.mark.parametrize(
    ("rate", "fps_max", "kept"),
    [("50", 60, "50"), ("60", 30, "30"), ("50", 30, "25"), ("240", 60, "60"), ("120", 50, "40")],
)
def test_of_a_quick_source_every_so_manieth_frame_is_kept(
    rate: str, fps_max: int, kept: str
) -> None:
    source = material(rounded(rate, 500, TS), tick=TS, rate=rate)
    ladder = LadderOutput(rungs=LADDER.rungs, fps_max=fps_max)
    assert Fraction(*grid_of(source, ladder).rate) == Fraction(kept)


def test_an_uneven_source_gets_the_rate_at_which_its_frames_mostly_come() -> None:
    dice = random.Random(5)
    every = rounded("30", 3000, MS)
    some = [tick for tick in every if tick == 0 or dice.random() < 0.7]
    assert Fraction(*grid_of(material(some, rate="21/1"), LADDER).rate) == 30
    slides = [0, 5000, 9000, 9040, 20_000]
    assert Fraction(*grid_of(material(slides, rate="1/4"), LADDER).rate) == 1


@pytest.mark.parametrize(
    ("rate", "said", "wanted"),
    [("25/1", 25, 25), ("90000/1", 25, 25), ("0/0", 25, 25), ("2997/100", 25, "30000/1001")],
)
def test_without_a_clock_the_containers_word_is_taken_if_it_is_one(
    rate: str, said: int, wanted: str
) -> None:
    source = material([0, 40, 80], rate=rate, regular=False)
    grid = grid_of(source, LADDER)
    assert (Fraction(*grid.rate), grid.zero_ticks) == (Fraction(wanted), 0)
    assert shown_seconds(source, grid) == 0


@pytest.mark.parametrize(
    ("rate", "seconds", "frames"),
    [("30000/1001", 4, 120), ("24000/1001", 4, 96), ("25", 2.5, 62), ("1", 2, 2), ("60", 10, 600)],
)
def test_a_segment_is_a_whole_number_of_frames(rate: str, seconds: float, frames: int) -> None:
    source = material(rounded(rate, 300, TS), tick=TS, rate=rate)
    ladder = LadderOutput(rungs=LADDER.rungs, segment_seconds=seconds)
    assert grid_of(source, ladder).segment_frames == frames


# --- Cuts -------------------------------------------------------------------------------------

RECIPE = Recipe(outputs=(LADDER,))


def plan_of(source: object, seconds: int) -> Plan:
    policy = Policy(threads=2, workers=3, chunk_seconds=seconds)
    found = cuts.cut(source, RECIPE, policy)  # type: ignore[arg-type]
    assert isinstance(found, Plan), found
    return found


def test_chunks_begin_with_segments_as_far_apart_as_was_asked_for() -> None:
    source = material(rounded("30000/1001", 3600, TS), tick=TS, rate="30000/1001")
    plan = plan_of(source, 30)
    starts = [grids.segments_of(plan.scope(number))[0] for number in range(plan.chunks)]
    assert starts == [0, 8, 15, 22]
    assert plan_of(source, 1).chunks == 30, "a chunk has one segment at least"


@settings(deadline=None, max_examples=60)
@given(
    gaps=st.lists(st.integers(1, 400), min_size=300, max_size=500),
    first=st.integers(0, 10**6),
    seconds=st.integers(1, 20),
)
def test_every_plan_of_a_ladder_can_be_carried_out(
    gaps: list[int], first: int, seconds: int
) -> None:
    ticks = [first + sum(gaps[:number]) for number in range(len(gaps))]
    source = material(ticks, start=(first - 300) / 1000, rate="0/0")
    policy = Policy(threads=2, workers=3, chunk_seconds=seconds)
    found = cuts.cut(source, RECIPE, policy)
    if isinstance(found, Plan):
        assert parts.flaw(found) == ""
        for boundary in found.boundaries:
            near = [abs(tick - boundary) for tick in ticks]
            assert min(near) <= 500


def test_pictures_that_stand_for_seconds_are_not_cut() -> None:
    slides = list(range(0, 200_000, 5000))
    policy = Policy(threads=2, workers=3, chunk_seconds=8)
    found = cuts.cut(material(slides, slides, rate="0/0"), RECIPE, policy)
    assert found == cuts.Whole("there is no place to cut it")


def test_more_sizes_are_more_work() -> None:
    source = material(rounded("25", 100, MS))
    boxes = [Box(width=1280, height=720), Box(width=640, height=360)]
    one, two = (
        Recipe(outputs=(LadderOutput(rungs=tuple(Rung(box=box) for box in some)),))
        for some in (boxes[:1], boxes)
    )
    assert cuts.predicted_seconds(source, two, 100, 2) > cuts.predicted_seconds(source, one, 100, 2)


# --- Sizes ------------------------------------------------------------------------------------


def sizes(width: int, height: int, *boxes: tuple[int, int]) -> list[tuple[Size, int]]:
    """What is made of a source, and whose cap it has."""
    picture = Stream(index=0, width=width, height=height)
    rungs = tuple(Rung(box=Box(width=w, height=h), maxrate_kbps=w) for w, h in boxes)
    made = rungs_of(LadderOutput(rungs=rungs), picture)
    assert [rung.name for rung in made] == [f"v{number}" for number in range(len(made))]
    return [(rung.size, rung.wanted.maxrate_kbps or 0) for rung in made]


USUAL = ((1280, 720), (1920, 1080), (960, 540), (640, 360))


def test_a_large_source_has_all_sizes_in_the_recipes_order() -> None:
    found = sizes(3840, 2160, *USUAL)
    assert found == [(Size(w, h), w) for w, h in USUAL]
    upright = sizes(2160, 3840, *USUAL)
    assert [size for size, _ in upright] == [Size(h, w) for w, h in USUAL]


def test_nothing_is_larger_than_the_source_whose_own_size_is_there_once() -> None:
    assert sizes(854, 480, *USUAL) == [(Size(854, 480), 960), (Size(640, 360), 640)]
    assert sizes(1280, 720, *USUAL)[0] == (Size(1280, 720), 1280)
    assert sizes(160, 90, *USUAL) == [(Size(160, 90), 640)]
    assert sizes(160, 90, (1920, 1080)) == [(Size(160, 90), 1920)]
