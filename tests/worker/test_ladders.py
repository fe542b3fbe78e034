"""A ladder of a source that was cut is, frame for frame, that of the same source encoded whole; and
every size of it can take the place of every other at every segment.
"""

import itertools
import math
import re
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest

from mayfly.contract import report
from mayfly.contract.ladder import Ready
from mayfly.contract.plan import Plan
from mayfly.contract.recipe import Box, LadderOutput, PosterOutput, Rung, VideoOutput
from mayfly.core import ladders
from tests.matrix.decode import decoded
from tests.worker import climbing
from tests.worker.climbing import FILMS, LADDER, X264, climbed, film_of, named, shown, whole
from tests.worker.clips import Clips
from tests.worker.conftest import Rig, own
from tests.worker.cutting import Film

pytestmark = pytest.mark.worker


@pytest.mark.parametrize("name", FILMS)
def test_the_parts_show_what_the_whole_shows_in_every_size(
    rig: Rig, made: Clips, ffmpeg: Path, ffprobe: Path, tmp_path: Path, name: str
) -> None:
    arguments, rate = FILMS[name]
    source = made.make(f"climbed-{name}", *arguments).read_bytes()
    with climbing.lossless():
        film, cut = climbed(rig, source, tmp_path / "cut", LADDER)
        _, wanted = whole(rig, source, tmp_path / "whole", LADDER)
    assert film.plan.chunks >= 3
    assert film.plan.grid is not None
    assert Fraction(*film.plan.grid.rate) == Fraction(rate)
    sizes, wanted_sizes = shown(ffmpeg, cut), shown(ffmpeg, wanted)
    assert [size.hashes for size in sizes] == [size.hashes for size in wanted_sizes]
    assert [size.times for size in sizes] == [size.times for size in wanted_sizes]
    frames = len(sizes[0].times)
    assert sizes[0].times == tuple(number / Fraction(rate) for number in range(frames))
    assert abs(frames / Fraction(rate) - 7) < Fraction(7, 10)
    if "sine" in " ".join(arguments):
        assert climbing.heard(ffmpeg, cut) == climbing.heard(ffmpeg, wanted)
    assert (cut.parent / "v0.m3u8").read_text() == (wanted.parent / "v0.m3u8").read_text()
    starts = [keys_of(ffprobe, cut, size) for size in named(cut)]
    step = film.plan.grid.segment_frames / Fraction(rate)
    assert starts[0] == [number * step for number in range(len(starts[0]))]
    assert all(other == starts[0] for other in starts)
    assert len(starts[0]) == len(named(cut.parent / "v0.m3u8"))


@pytest.mark.parametrize("rate", ["24", "30000/1001", "25", "60", "12"])
@pytest.mark.parametrize("speed", ["veryfast", "ultrafast"])
def test_a_seek_finds_the_frame_that_was_wanted(
    rig: Rig, made: Clips, ffmpeg: Path, tmp_path: Path, rate: str, speed: str
) -> None:
    """By a player that counts in microseconds; the ends of segments are where it may be wrong."""
    name = f"seek-{rate.replace('/', '-')}.mp4"
    source = made.make(f"climbed-{name}", *film_of(rate), *X264).read_bytes()
    ladder = msgspec.structs.replace(LADDER, speed=speed)
    _, master = climbed(rig, source, tmp_path, ladder)
    frames = shown(ffmpeg, master)[0].hashes
    for seconds in (0, 1, 2, 3.5, 4, 6.5):
        first = math.ceil(Fraction(seconds) * Fraction(rate))
        found = decoded(ffmpeg, master.parent / "v0.m3u8", sound=None, since=seconds).hashes
        assert abs(len(found) - len(frames[first:])) <= 1, seconds
        assert found[-5:] == frames[-5:]


def keys_of(ffprobe: Path, master: Path, size: str) -> list[Fraction]:
    return climbing.keyframes(ffprobe, master.parent / size)


@pytest.mark.parametrize("name", ["even.mp4", "silent.mkv", "film.flv", "far.ts"])
def test_an_even_source_has_each_of_its_frames_once(
    rig: Rig, made: Clips, ffmpeg: Path, tmp_path: Path, name: str
) -> None:
    path = made.make(f"climbed-{name}", *FILMS[name][0])
    with climbing.lossless():
        _, cut = climbed(rig, path.read_bytes(), tmp_path, LADDER)
    # Where the sound begins first, the first picture is there from then on.
    hashes, wanted = shown(ffmpeg, cut)[0].hashes, decoded(ffmpeg, path, sound=None).hashes
    early = len(hashes) - len(wanted)
    assert early <= 3
    assert hashes == (wanted[0],) * early + wanted


@pytest.mark.parametrize("name", ["late-sound.ts", "late-picture.mkv", "uneven.mkv"])
def test_sound_and_picture_stay_together(
    rig: Rig,
    made: Clips,
    ffmpeg: Path,
    tmp_path: Path,
    name: str,
) -> None:
    """The MP4 of the same job has the source's own times: each of its frames is what the ladder
    shows then, to half a frame, and the sound of both is one."""
    arguments, rate = FILMS[name]
    source = made.make(f"climbed-{name}", *arguments).read_bytes()
    video = VideoOutput(box=Box(width=128, height=72), speed="ultrafast", crf=0)
    with climbing.lossless():
        film, cut = climbed(rig, source, tmp_path, LADDER, video)
    (tmp_path / "video.mp4").write_bytes(film.stored("finish")["video.mp4"])
    exact = decoded(ffmpeg, tmp_path / "video.mp4", sound=None)
    even = shown(ffmpeg, cut)[0]
    nearest = [int(time * Fraction(rate) + Fraction(1, 2)) for time in exact.times]
    kept = [
        pair
        for pair, after in itertools.pairwise(zip(nearest, exact.hashes, strict=True))
        if pair[0] != after[0]
    ]
    assert len(kept) > 0.9 * len(exact.times)
    off = [number for number, hashed in kept if even.hashes[number] != hashed]
    assert off == []
    begins, samples, hashes = climbing.heard(ffmpeg, cut)
    wanted_begins, wanted, wanted_hashes = climbing.of_sound(ffmpeg, tmp_path / "video.mp4")
    assert begins == wanted_begins
    assert samples >= wanted - 2048
    assert hashes.startswith(wanted_hashes[: 200 * 32])


def test_one_decode_makes_a_ladder_a_file_and_a_still(
    rig: Rig, made: Clips, ffmpeg: Path, tmp_path: Path
) -> None:
    source = made.make("climbed-even.mp4", *FILMS["even.mp4"][0]).read_bytes()
    video = VideoOutput(box=Box(width=64, height=64), speed="ultrafast")
    outputs = (PosterOutput(), LADDER, video)
    film, cut = climbed(rig, source, tmp_path, *outputs)
    brought = {one.file: one for one in film.brought["finish"].outputs}
    assert set(brought) == {"hls/master.m3u8", ladders.PUBLISHED, "poster.jpg", "video.mp4"}
    files = [path for path in cut.parent.rglob("*") if path.is_file()]
    told = brought["hls/master.m3u8"]
    assert told.files == len(files)
    assert told.size_bytes == sum(path.stat().st_size for path in files)
    assert (told.media.container, told.media.frames, told.media.width) == ("hls", 175, 128)
    assert brought["video.mp4"].media.frames == 175
    alone, master = whole(rig, source, tmp_path / "whole", *outputs)
    assert {one.file for one in alone.brought["encode"].outputs} == set(brought)
    assert len(shown(ffmpeg, master)[0].times) == 175


def test_every_attempt_keeps_to_its_own_folder_and_the_finish_fetches_no_segment(
    rig: Rig, made: Clips, tmp_path: Path
) -> None:
    source = made.make("climbed-even.mp4", *FILMS["even.mp4"][0]).read_bytes()
    film = Film(rig, source, LADDER).work()
    rig.bucket.seen.clear()
    film.finish()
    fetched = [seen.path for seen in rig.bucket.seen if seen.method == "GET"]
    assert fetched and not any(".m4s" in path or ".mp4" in path for path in fetched)
    ready = msgspec.json.decode(film.stored("finish")[ladders.PUBLISHED], type=Ready)
    assert ladders.flaw(ready, LADDER, "work/job-1/") == ""
    prefixes = [run.prefix for run in ready.layers[0].runs]
    assert len(set(prefixes)) == film.plan.chunks
    assert [prefix.split("/")[2] for prefix in prefixes][:2] == ["encode", "chunk-00001"]


# --- Which sizes ------------------------------------------------------------------------------


def test_a_source_smaller_than_its_ladder_has_its_own_size_once(
    rig: Rig, made: Clips, ffmpeg: Path, tmp_path: Path
) -> None:
    boxes = ((1920, 1080), (640, 360), (320, 180), (80, 80))
    ladder = LadderOutput(
        rungs=tuple(Rung(box=Box(width=w, height=h), maxrate_kbps=w) for w, h in boxes),
        speed="ultrafast",
        segment_seconds=2,
        audio=None,
    )
    source = made.make("climbed-even.mp4", *FILMS["even.mp4"][0]).read_bytes()
    _, master = climbed(rig, source, tmp_path, ladder)
    text = master.read_text()
    small = "80x46" if "80x46" in text else "80x44"
    assert re.findall("RESOLUTION=([0-9x]+)", text) == ["160x90", small] * 2, "and keyframes"
    assert "AUDIO" not in text


def test_one_frame_is_a_ladder_too(rig: Rig, made: Clips, ffmpeg: Path, tmp_path: Path) -> None:
    for count in (1, 2, 3):
        source = made.silent(f"climbed-{count}.mp4", "-frames:v", str(count)).read_bytes()
        _, master = whole(rig, source, tmp_path / str(count), LADDER)
        assert [len(size.times) for size in shown(ffmpeg, master)] == [count, count]


def test_a_users_own_urls_do_not_carry_a_ladder(rig: Rig) -> None:
    task = own(rig)
    task["recipe"] = {"outputs": [msgspec.to_builtins(LADDER)]}
    rig.bucket.objects["mine/clip.mp4"] = b""
    rig.put(task)
    last = rig.run_once()[-1]
    assert isinstance(last, report.Failed)
    assert last.code == "delivery_refused"


def test_a_plan_without_a_grid_makes_no_ladder() -> None:
    assert Plan(time_base=(1, 25), origin_ticks=0, margin_seconds=1, boundaries=(50,)).grid is None
