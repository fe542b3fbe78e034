"""A capped ladder of a source that was cut asks no more of a player's line than one made whole."""

import itertools
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from mayfly.contract.recipe import Box, LadderOutput, Rung
from tests.worker import bucket, climbing
from tests.worker.bucket import Sample
from tests.worker.climbing import climbed, whole
from tests.worker.clips import Clips
from tests.worker.conftest import Rig

#: Never still and never alike: the cap bites in every frame.
HARD = (
    "-f", "lavfi", "-i", "mandelbrot=s=128x72:r=25,noise=alls=20:allf=t", "-t", "16",
    *climbing.X264, "-threads", "1",
)  # fmt: skip


@pytest.mark.worker
@pytest.mark.parametrize(("speed", "cap_kbps"), [("veryfast", 120), ("ultrafast", 200)])
def test_a_player_of_a_cut_source_waits_no_longer_than_one_of_the_whole(
    rig: Rig, made: Clips, ffprobe: Path, tmp_path: Path, speed: Any, cap_kbps: int
) -> None:
    """Three seams, each of which would make it wait a quarter of a second and more if its chunk
    counted on a full buffer."""
    ladder = LadderOutput(
        rungs=(Rung(box=Box(width=128, height=72), maxrate_kbps=cap_kbps),),
        speed=speed,
        segment_seconds=2,
        audio=None,
    )
    source = made.make("capped.mp4", *HARD).read_bytes()
    film, cut = climbed(rig, source, tmp_path / "cut", ladder, chunk_seconds=4)
    assert film.plan.chunks == 4
    _, wanted = whole(rig, source, tmp_path / "whole", ladder)
    parts, one = (_flow(ffprobe, master, cap_kbps) for master in (cut, wanted))
    assert one.mean > 0.95, "the cap does not bite"
    # A frame: so much does x264 miss its own mark by, at one seam or another.
    assert parts.late_seconds <= one.late_seconds + 1 / 25
    assert parts.peak <= one.peak * 1.02
    # And what is given up for it is no more than what was counted on.
    assert parts.mean >= one.mean * 0.9


def _flow(ffprobe: Path, master: Path, cap_kbps: int) -> bucket.Flow:
    folder = master.parent
    files = {
        str(path.relative_to(folder.parent)): path.read_bytes() for path in folder.rglob("*.*")
    }
    track = bucket.track(files, folder.name, "v0")
    return bucket.flow(bucket.samples(ffprobe, track, folder), cap_kbps)


# --- The bucket itself --------------------------------------------------------------------------


def _stream(*bits: int) -> list[Sample]:
    return [Sample(bits=one, seconds=Fraction(1), begins_segment=True) for one in bits]


def test_a_bucket_begins_nine_tenths_full_and_holds_no_more_than_a_second() -> None:
    assert bucket.flow(_stream(900, 1000, 1000), 1).late_seconds == 0
    assert bucket.flow(_stream(0, 0, 1001), 1).late_seconds == pytest.approx(0.001)


def test_what_was_missing_once_is_missing_afterwards() -> None:
    seen = [bucket.flow(_stream(*itertools.repeat(1100, n)), 1).late_seconds for n in (1, 2, 3)]
    assert seen == pytest.approx([0.2, 0.3, 0.4])


def test_the_peak_is_of_the_largest_segment() -> None:
    seen = bucket.flow(_stream(500, 1500, 1000), 1)
    assert (seen.peak, seen.mean) == (1.5, 1.0)
