"""Where a source is cut, and when it is not."""

import dataclasses
from array import array
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mayfly.contract.plan import Plan
from mayfly.contract.recipe import AudioOutput, Box, PosterOutput, Recipe, VideoOutput
from mayfly.core import limits, parts
from worker import cuts, pace
from worker.cuts import Policy, Whole
from worker.preflight import Material
from worker.probe import Format, Probe, Stream
from worker.scan import Scan

FILM = Recipe(outputs=(VideoOutput(),))
QUICK = Recipe(outputs=(VideoOutput(speed="ultrafast"),))
POLICY = Policy(threads=2, workers=3)
EVERY_10_S = dataclasses.replace(POLICY, chunk_seconds=10)


def material(
    ticks: list[int],
    keys: list[int] | None = None,
    *,
    tick: Fraction = Fraction(1, 1000),
    start: float | None = 0.0,
    size: tuple[int, int] = (1920, 1080),
    rate: str = "25/1",
    container: str = "mov,mp4",
    **scanned: Any,
) -> Material:
    picture = Stream(
        index=0, codec_type="video", codec_name="h264", width=size[0], height=size[1],
        avg_frame_rate=rate, time_base=f"{tick.numerator}/{tick.denominator}",
    )  # fmt: skip
    scan = Scan(**{
        "frames": len(ticks), "packets": len(ticks), "ticks": array("q", ticks), "tick": tick,
        "key_ticks": array("q", ticks[::50] if keys is None else keys), "regular": True, **scanned,
    })  # fmt: skip
    probe = Probe(format=Format(format_name=container, start_time=start), streams=(picture,))
    return Material(probe=probe, scan=scan, picture=picture, sound=None)


def even(seconds: float, *, first: int = 0, step: int = 40) -> list[int]:
    return list(range(first, first + round(seconds * 1000), step))


def plan_of(source: Material, policy: Policy = POLICY, recipe: Recipe = FILM) -> Plan:
    found = cuts.cut(source, recipe, policy)
    assert isinstance(found, Plan), found
    return found


def why(source: Material, policy: Policy = EVERY_10_S, recipe: Recipe = FILM) -> str:
    found = cuts.cut(source, recipe, policy)
    assert isinstance(found, Whole), found
    return found.why


# --- Properties --------------------------------------------------------------------------------


@st.composite
def sources(draw: st.DrawFn) -> Material:
    """Frames at any distances on any clock, with keyframes anywhere."""
    step, uneven = draw(st.sampled_from([(40, 0), (33, 1), (1001, 0), (40, 2000)]))
    count = draw(st.integers(1, 1500))
    bumps = draw(st.lists(st.integers(0, uneven), min_size=8, max_size=8))
    first = draw(st.integers(-(2**40), 2**40))
    ticks = [first + number * step + bumps[number % 8] for number in range(count)]
    ticks = sorted(set(ticks))
    keys = draw(st.sets(st.sampled_from(ticks), min_size=1, max_size=40))
    tick = draw(st.sampled_from([Fraction(1, 1000), Fraction(1, 90_000), Fraction(1001, 30_000)]))
    start = draw(st.none() | st.floats(-1e6, 1e6))
    return material(ticks, sorted(keys), tick=tick, start=start)


POLICIES = st.builds(
    Policy,
    threads=st.integers(1, 16),
    workers=st.integers(1, 100),
    chunk_seconds=st.integers(0, 100),
)


@settings(deadline=None)  # thousands of frames, on a machine that may be busy
@given(source=sources(), policy=POLICIES)
def test_every_plan_can_be_carried_out_and_proven(source: Material, policy: Policy) -> None:
    plan = cuts.cut(source, QUICK, policy)
    if isinstance(plan, Whole):
        return
    assert parts.flaw(plan) == ""
    ticks, scan = list(source.scan.ticks), source.scan
    assert set(plan.boundaries) <= set(ticks), "each cut is a frame's own tick"
    marks = [0, *(ticks.index(cut) for cut in plan.boundaries), len(ticks)]
    assert all(later - at >= 12 for at, later in pairwise(marks)), "no chunk is a handful"
    beside = [cut - ticks[ticks.index(cut) - 1] for cut in plan.boundaries]
    assert max(beside) * scan.tick <= Fraction(1, 2), "two chunks see a frame at each seam"
    assert plan.origin_ticks <= ticks[0], "no frame is before the clock's beginning"
    assert plan.time_base == (scan.tick.numerator, scan.tick.denominator)
    # From wherever a chunk begins, so far back there is a keyframe or the beginning.
    reach = plan.margin_seconds / float(scan.tick)
    for cut in plan.boundaries:
        assert any(cut - reach <= key <= cut for key in (ticks[0], *scan.key_ticks))
    assert plan.audio_tracks == 1
    assert plan == cuts.cut(source, QUICK, policy), "the same source gives the same plan"


@settings(deadline=None)  # thousands of frames, on a machine that may be busy
@given(source=sources(), policy=POLICIES)
def test_b_frames_never_run_into_the_next_chunk(source: Material, policy: Policy) -> None:
    plan = cuts.cut(source, FILM, policy)
    if isinstance(plan, Whole):
        return
    assert source.picture is not None
    ticks, depth = list(source.scan.ticks), pace.depth(VideoOutput(), source.picture)
    for cut in plan.boundaries:
        # x264 decodes a frame when the one two before it is shown: the last one that early.
        last = ticks[ticks.index(cut) - 1 - depth]
        assert cut - depth * plan.frame_ticks > last


# --- Where -------------------------------------------------------------------------------------


def test_a_film_is_cut_as_its_work_asks_on_three_workers() -> None:
    # Two hours of 1080p: 90,000 s of work would be absurd; predicted is what the table says.
    source = material(even(7200))
    plan = plan_of(source)
    seconds = 7200 / plan.chunks
    work = cuts.predicted_seconds(source, FILM, source.scan.frames, POLICY.threads) * seconds / 7200
    assert limits.WORK_SECONDS_MIN <= work <= limits.WORK_SECONDS_MAX


def test_more_workers_get_shorter_chunks() -> None:
    source = material(even(3600))
    few, many = (
        plan_of(source, dataclasses.replace(POLICY, workers=count)).chunks for count in (2, 50)
    )
    assert many > 2 * few


def test_chunks_are_as_long_as_an_operator_wants_them() -> None:
    plan = plan_of(material(even(60)), EVERY_10_S)
    assert plan.boundaries == (10_000, 20_000, 30_000, 40_000, 50_000)


def test_a_cut_is_moved_to_a_keyframe_that_is_near() -> None:
    keys = [0, 9_000, 13_000, 20_400, 30_000]
    plan = plan_of(material(even(40), keys), EVERY_10_S)
    assert plan.boundaries == (9_000, 20_400, 30_000)


def test_a_cut_stays_where_no_keyframe_is_near() -> None:
    plan = plan_of(material(even(40), [0, 15_000]), EVERY_10_S)
    # Evenly from the first frame to the last, which is shown at 39.96 s.
    assert plan.boundaries == (10_000, 20_000, 30_000)


@pytest.mark.parametrize(
    ("keys", "margin"),
    [
        ([0, 10_000, 20_000, 30_000], 11.0),
        ([0, 25_000, 30_000], 26.0),
        ([0], 40.96),  # the last is as far as the end
        ([8_000, 12_000, 30_000], 19.0),
    ],
)
def test_the_margin_is_the_longest_way_to_a_keyframe(keys: list[int], margin: float) -> None:
    source = material(even(40), keys, start=None)
    assert plan_of(source, EVERY_10_S).margin_seconds == pytest.approx(margin, abs=0.05)


def test_the_clock_begins_where_the_container_does() -> None:
    ticks = even(40, first=1_000_500)
    assert plan_of(material(ticks, start=1000.0), EVERY_10_S).origin_ticks == 1_000_000
    assert plan_of(material(ticks, start=None), EVERY_10_S).origin_ticks == 1_000_500
    # A container that says it begins later than its first frame must not lose that.
    assert plan_of(material(ticks, start=1001.0), EVERY_10_S).origin_ticks == 1_000_500


# --- When not ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"regular": False}, "its clock is set anew, repeats itself or is missing"),
        (
            {"container": "mpegts", "broken_packets": 1},
            "its clock is set anew, repeats itself or is missing",
        ),
        ({"goes_back": True}, "its packets are out of order"),
        ({"keys": []}, "it has no keyframe"),
        ({"keys": [0]}, "its keyframes are up to 100 s apart"),
    ],
)
def test_what_could_not_be_proven_is_not_cut(changed: dict[str, Any], said: str) -> None:
    assert why(material(even(100), **changed)) == said


def test_a_source_whose_frames_say_no_time_is_not_cut() -> None:
    assert why(material([])) == "no frame says its time"
    no_picture = dataclasses.replace(material(even(100)), picture=None)
    assert why(no_picture) == "no frame says its time"


def test_what_is_done_soon_is_not_cut_and_nobody_wonders() -> None:
    assert why(material(even(60)), POLICY) == ""


@pytest.mark.parametrize("output", [AudioOutput(), PosterOutput()])
def test_without_a_video_nothing_is_cut(output: Any) -> None:
    assert why(material(even(7200)), POLICY, Recipe(outputs=(output,))) == ""


@pytest.mark.parametrize("seconds", [0.04, 0.9])
def test_less_than_two_chunks_of_twelve_frames_are_not_cut(seconds: float) -> None:
    one = dataclasses.replace(POLICY, chunk_seconds=1)
    assert why(material(even(seconds)), one) == "there is no place to cut it"


def test_pictures_that_stand_longer_than_a_seam_are_not_cut() -> None:
    """Slides: no frame would be seen by two chunks."""
    slides = material(even(3000, step=1000), rate="1/1")
    assert why(slides) == "there is no place to cut it"
    assert plan_of(material(even(3000, step=500), rate="2/1"), EVERY_10_S).chunks > 100


def test_a_film_is_not_cut_behind_a_long_pause() -> None:
    ticks = [tick for tick in even(40) if not 17_000 < tick < 20_000]
    plan = plan_of(material(ticks, [0, 20_000], frames=len(ticks)), EVERY_10_S, QUICK)
    assert plan.boundaries == (10_000, 30_000)


def test_dropped_and_doubled_frames_do_not_keep_a_film_whole() -> None:
    """As telephones record: here and there one frame lasts as long as two, or half as long."""
    ticks = sorted({*even(60), 20_020} - {30_000})
    plan = plan_of(material(ticks, [0, 20_000, 40_000]), EVERY_10_S)
    assert (plan.chunks, plan.frame_ticks) == (6, 20)


def test_no_plan_has_more_chunks_than_may_be() -> None:
    source = material(list(range(0, 200_000 * 40, 40)), size=(64, 64))
    one = dataclasses.replace(POLICY, chunk_seconds=1)
    assert plan_of(source, one).chunks <= limits.CHUNKS_MAX


def test_the_work_grows_with_pixels_outputs_and_care() -> None:
    source = material(even(100))

    def work(*outputs: Any, threads: int = 1) -> float:
        return cuts.predicted_seconds(source, Recipe(outputs=outputs), 2500, threads)

    small = VideoOutput(box=Box(width=640, height=360), file="small.mp4")
    assert work(small) < work(VideoOutput()) < work(VideoOutput(), small)
    assert work(VideoOutput(speed="fast")) < work(VideoOutput()) < work(VideoOutput(speed="slower"))
    assert 1.9 < work(VideoOutput()) / work(VideoOutput(), threads=2) < 2


def test_a_plan_says_how_much_work_it_is() -> None:
    source = material(even(3600))
    work = cuts.predicted_seconds(source, FILM, source.scan.frames, POLICY.threads)
    assert plan_of(source).predicted_seconds == work > 1000


def test_a_source_is_divided_among_the_workers_that_finish_it_in_time() -> None:
    source = material(even(3600))
    alone, few, all_of_them = (
        plan_of(source, dataclasses.replace(POLICY, workers=count, finish_seconds=finish)).chunks
        for count, finish in ((1, 0), (1000, 1800), (1000, 0))
    )
    assert alone < few < all_of_them


def test_a_plan_names_the_frame_of_each_still_in_the_recipes_order() -> None:
    late, first = PosterOutput(file="late.jpg", at_fraction=0.5), PosterOutput(at_fraction=0)
    recipe = Recipe(outputs=(late, VideoOutput(), first))
    ticks = even(100.04, first=500)
    assert plan_of(material(ticks), EVERY_10_S, recipe).stills == (ticks[1250], 500)
