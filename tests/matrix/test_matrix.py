"""Two minutes of the matrix, so that every run of the tests looks at other sources; `make matrix`
looks at six hundred.
"""

import dataclasses
import datetime
import itertools
import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from mayfly.contract.recipe import Box, Recipe, VideoOutput
from tests.matrix.cases import Case, cases, draw
from tests.matrix.decode import Seen
from tests.matrix.main import court
from tests.matrix.verdict import Court, compared

pytestmark = pytest.mark.worker

#: Blocks of seeds: together about two minutes of CPU. `tests/conftest.py` tells how many they were.
_BLOCKS = range(12)
_BLOCK_CASES = 5
_DAYS_CASES = 10_000
#: The date's own, so that tomorrow's are others.
_FIRST = int(
    os.environ.get("MATRIX_SEED")
    or datetime.datetime.now(datetime.UTC).date().toordinal() * _DAYS_CASES
)


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Court]:
    with court(tmp_path_factory.mktemp("matrix")) as opened:
        yield opened


@pytest.mark.timeout(600)  # a case takes two seconds of CPU, and other tests run beside it
@pytest.mark.parametrize("block", _BLOCKS)
def test_what_was_cut_becomes_what_the_whole_becomes(
    judge: Court, block: int, record_property: Callable[[str, object], None]
) -> None:
    first, cut = _FIRST + block * _BLOCK_CASES, 0
    for seed in range(first, first + _BLOCK_CASES):
        verdict = judge.judge(seed, draw(seed))
        assert not verdict.wrong, f"make matrix CASE={seed}\n{verdict.told()}"
        cut += verdict.chunks > 0
    record_property("matrix", (first, _BLOCK_CASES, cut))


@pytest.mark.timeout(600)
def test_real_clips_are_the_same_when_they_are_cut(judge: Court, media: Path) -> None:
    video = VideoOutput(box=Box(width=128, height=72), speed="ultrafast", crf=0)
    for clip in sorted(media.glob("*.mp4")):
        found = judge.compare(clip, Recipe(outputs=(video,)), 5)
        assert not found.wrong, (clip.name, found.wrong)
        assert found.chunks > 1, (clip.name, found.whole)


def test_a_seed_is_one_case_and_no_other() -> None:
    assert draw(7) == draw(7)
    assert len(set(itertools.islice((case for _, case in cases(0)), 600))) == 600


@pytest.mark.parametrize(
    ("what", "wanted"),
    [
        (lambda case: case.clip.container,
         {"mp4", "fmp4", "mov", "mkv", "mpegts", "avi", "flv", "webm"}),
        (lambda case: case.clip.codec,
         {"h264", "hevc", "mpeg2", "mpeg4", "vp9", "av1", "prores"}),
        (lambda case: case.clip.gop, {"closed", "open", "intra-refresh"}),
        (lambda case: case.clip.gop_seconds, {0.5, 10.0}),
        (lambda case: case.clip.variable, {True, False}),
        (lambda case: case.lossless, {True, False}),
        (lambda case: case.made, {"h264", "hevc", "av1", "vp9"}),
        (lambda case: case.file, {"video.mp4", "video.mov", "video.mkv", "video.webm"}),
        (lambda case: case.clip.interlaced, {True, False}),
        (lambda case: case.clip.start_seconds, {0.0, 1.4, 1000.0}),
        (lambda case: case.clip.depth, {8, 10}),
        (lambda case: case.clip.splice, {"", "reset", "continued"}),
        (lambda case: case.clip.edited, {True, False}),
        (lambda case: case.clip.sound, {"with", "without", "late", "early"}),
        (lambda case: case.chunk_seconds, {1, 2, 3, 5, 8}),
    ],
)  # fmt: skip
def test_everything_that_sources_differ_in_is_drawn(
    what: Callable[[Case], object], wanted: set[object]
) -> None:
    drawn = {what(case) for _, case in itertools.islice(cases(0), 600)}
    assert wanted <= drawn


_SEEN = Seen(
    times=tuple(Fraction(n, 25) for n in range(5)),
    hashes=("a", "b", "c", "d", "e"),
    sound_start=Fraction(0),
    samples=9600,
    rate_hz=48000,
    ticks=(Fraction(1, 12800), Fraction(1, 48000)),
)


@pytest.mark.parametrize(
    "changed",
    [
        {"hashes": ("a", "b", "b", "d", "e")},
        {"hashes": ("a", "c", "b", "d", "e")},
        {"hashes": ("a", "b", "c", "d")},
        {"times": tuple(Fraction(n, 25) + Fraction(n > 2, 12800) for n in range(5))},
        {"samples": 9599},
        {"sound_start": Fraction(2, 12800)},
        {"sound_start": None, "samples": 0},
    ],
)
def test_the_judge_notices_whatever_is_not_the_same(changed: dict[str, object]) -> None:
    assert compared(_SEEN, _SEEN) == ()
    assert compared(dataclasses.replace(_SEEN, **changed), _SEEN) != ()  # type: ignore[arg-type]
