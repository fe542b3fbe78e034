"""Films that shall not be quicker than somebody wants: every n-th frame of an even source, the same
whole and cut, on the source's own times."""

import itertools
import subprocess
from array import array
from fractions import Fraction
from pathlib import Path
from typing import Any

import hypothesis
import msgspec
import pytest
from hypothesis import strategies as st

from mayfly.contract import report
from mayfly.contract.plan import Grid
from mayfly.contract.recipe import Box, PosterOutput, VideoOutput
from mayfly.core import parts
from tests.worker.clips import Clips
from tests.worker.conftest import Rig, kinds
from tests.worker.cutting import Film, unmended
from tests.worker.test_lists import PLAN
from worker.thinning import every, kept, thinning

BOX = Box(width=64, height=36)


def video(fps_max: int | None, **fields: Any) -> VideoOutput:
    return VideoOutput(**{"box": BOX, "speed": "veryfast", "crf": 20, "audio": None,
                          "fps_max": fps_max, **fields})  # fmt: skip


@pytest.mark.parametrize(
    ("rate", "fps_max", "count"),
    [((25, 1), 25, 1), ((25, 1), 60, 1), ((50, 1), 30, 2), ((60, 1), 30, 2), ((60, 1), 25, 3),
     ((60_000, 1001), 30, 2), ((30_000, 1001), 30, 1), ((240, 1), 30, 8), ((24, 1), 1, 24)],
)  # fmt: skip
def test_one_of_so_many_frames_is_kept(rate: tuple[int, int], fps_max: int, count: int) -> None:
    grid = Grid(rate=rate, segment_frames=1, zero_ticks=0)
    assert every(video(fps_max), grid) == count
    assert every(video(None), grid) == 1
    assert thinning(video(fps_max), None, Fraction(1, 1000), 0) is None


@hypothesis.given(
    rate=st.sampled_from([(25, 1), (50, 1), (60, 1), (60_000, 1001), (120, 1), (144, 1)]),
    fps_max=st.sampled_from([5, 10, 24, 25, 30, 60]),
    tick=st.sampled_from([Fraction(1, 1000), Fraction(1, 90_000), Fraction(1, 12_800)]),
    first=st.integers(0, 100_000),
    count=st.integers(1, 400),
    at=st.integers(0, 400),
)
def test_every_nth_frame_is_kept_however_its_clock_rounds_and_wherever_it_is_cut(
    rate: tuple[int, int], fps_max: int, tick: Fraction, first: int, count: int, at: int
) -> None:
    step = 1 / (Fraction(*rate) * tick)
    ticks = array("q", (first + round(number * step) for number in range(count)))
    grid = Grid(rate=rate, segment_frames=1, zero_ticks=ticks[0])
    output = video(fps_max)
    of = thinning(output, grid, tick, 0)
    assert kept(of, ticks) == ticks[:: every(output, grid)]
    cut = at % count
    before = ticks[cut - 1] if cut else None
    assert kept(of, ticks[:cut]) + kept(of, ticks[cut:], before) == kept(of, ticks)


def test_a_plan_with_frames_of_no_rate_is_refused() -> None:
    plan = msgspec.structs.replace(PLAN, own=Grid(rate=(0, 1), segment_frames=1, zero_ticks=0))
    assert parts.flaw(plan) == "a grid of 0/1 frames a second"


_X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "20")
SOURCES = {
    "even.mp4": ("50", ()),
    "ntsc.mkv": ("60000/1001", ()),
    "late.ts": ("50", ("-output_ts_offset", "1000.4")),
    "uneven.mkv": ("60", ("-vf", "select='not(mod(n,3))+gt(random(1),0.3)'", "-fps_mode",
                          "passthrough")),
    "fields.ts": ("50", ("-vf", "scale=160:96,interlace", "-flags", "+ilme+ildct")),
}  # fmt: skip


def shown(ffmpeg: Path, content: bytes) -> list[tuple[Fraction, bytes]]:
    """When each frame is shown, in seconds, and what it is."""
    line = [str(ffmpeg), "-v", "error", "-i", "-", "-copyts", "-fps_mode", "passthrough",
            "-enc_time_base", "demux", "-f", "framemd5", "-"]  # fmt: skip
    ran = subprocess.run(line, input=content, capture_output=True, check=True).stdout.decode()
    rows = ran.splitlines()
    tick = next(Fraction(row.split()[2]) for row in rows if row.startswith("#tb 0:"))
    fields = [row.split(",") for row in rows if not row.startswith("#")]
    return [(int(row[2]) * tick, row[5].encode()) for row in fields]


@pytest.mark.worker
@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("fps_max", [30, 12])
def test_chunks_keep_what_the_whole_keeps(
    name: str, fps_max: int, rig: Rig, made: Clips, ffmpeg: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unmended(monkeypatch)
    rate, more = SOURCES[name]
    source = made.make(
        f"thinned-{name}", "-f", "lavfi", "-i", f"testsrc2=s=160x90:r={rate}:d=5", *more, *_X264
    ).read_bytes()
    # Without loss, so that each frame can be compared; and of the default kind, with B-frames.
    outputs = (
        video(fps_max, crf=0), video(fps_max, file="b.mp4"), video(None, file="all.mp4"),
        video(fps_max, file="x.mkv", codec="hevc"), PosterOutput(box=BOX),
    )  # fmt: skip
    film = Film(rig, source, *outputs).work()
    last = film.finish()
    assert isinstance(last, report.Encoded), last
    whole = Film(rig, source, *outputs, chunk_seconds=3600)
    assert kinds(whole.begin())[-1] == "Encoded"
    assert film.plan.chunks > 1
    cut, uncut = film.stored("finish"), whole.stored("encode")
    found = shown(ffmpeg, cut["video.mp4"])
    assert found == shown(ffmpeg, uncut["video.mp4"])
    all_of = [moment for moment, _ in shown(ffmpeg, cut["all.mp4"])]
    assert [moment for moment, _ in shown(ffmpeg, cut["b.mp4"])] == [m for m, _ in found]
    assert {moment for moment, _ in found} <= set(all_of)
    gaps = [later[0] - one[0] for one, later in itertools.pairwise(found)]
    assert len(found) / float(found[-1][0] - found[0][0]) <= fps_max * 1.02 + 1
    media = {one.file: one.media for one in last.outputs}
    assert media["video.mp4"].frames == media["x.mkv"].frames == len(found)
    if name not in ("uneven.mkv", "fields.ts"):
        own = Fraction(rate)
        count = -(-own // fps_max)
        assert [m for m, _ in found] == all_of[:: int(count)]
        assert all(abs(gap - count / own) <= Fraction(1, 500) for gap in gaps)


@pytest.mark.worker
def test_a_film_that_is_slow_enough_keeps_all_of_its_frames(
    rig: Rig, made: Clips, ffmpeg: Path
) -> None:
    one = Film(rig, made.plain().read_bytes(), video(25), chunk_seconds=3600)
    assert kinds(one.begin())[-1] == "Encoded"
    assert len(shown(ffmpeg, one.stored("encode")["video.mp4"])) == 50
