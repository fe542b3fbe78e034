"""One chunk of a source that stays where it is: what it reads of it, and what it makes of it when
it cannot."""

import subprocess
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mayfly.contract import report
from mayfly.contract.plan import Plan
from mayfly.contract.recipe import Box, PosterOutput, Recipe, VideoOutput
from tests.worker import reads, store
from tests.worker.clips import Clips
from tests.worker.conftest import Rig
from worker import cuts, lists, preflight, seams
from worker.compile_parts import FRAMES
from worker.encode import Encoding
from worker.halt import Halt
from worker.prober import Prober
from worker.seams import Frames

pytestmark = pytest.mark.worker

SMALL = VideoOutput(box=Box(width=160, height=90), speed="ultrafast", audio=None)
RECIPE = Recipe(outputs=(SMALL, PosterOutput(at_fraction=0.4)))
SECONDS = 10


def film(made: Clips, name: str, *more: str) -> Path:
    """40 s of pictures that do not compress, 13 MiB, a keyframe each second."""
    whole = made.make(
        "noise.mp4",
        "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=40",
        "-f", "lavfi", "-i", "sine=d=40:r=48000", "-vf", "noise=alls=40:allf=t",
        "-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-bf", "2", "-pix_fmt", "yuv420p",
        "-b:v", "2500k", "-maxrate", "2500k", "-bufsize", "1250k", "-c:a", "aac", "-shortest",
    )  # fmt: skip
    return made.make(name, "-i", str(whole), "-c", "copy", *more)


FILMS = {
    "first.mp4": ("-movflags", "+faststart"),
    "last.mp4": (),
    "film.ts": (),
    "film.mkv": (),
}


def planned(path: Path, ffprobe: Path, recipe: Recipe = RECIPE) -> Plan:
    prober = Prober(str(ffprobe))
    probe = prober.probe(path.name, folder=path.parent, halt=Halt())
    scan = prober.scan(path.name, probe, folder=path.parent, halt=Halt())
    material = preflight.check_scan(probe, scan, recipe)
    found = cuts.cut(material, recipe, cuts.Policy(threads=2, workers=2, chunk_seconds=SECONDS))
    assert isinstance(found, Plan)
    return found


def a_chunk(rig: Rig, source: bytes, plan: Plan, number: int) -> dict[str, Any]:
    return rig.task(
        source,
        kind="chunk",
        task_id=f"chunk-{number:05d}",
        recipe=msgspec.to_builtins(RECIPE),
        scope=msgspec.to_builtins(plan.scope(number)),
        plan_clock=msgspec.to_builtins(plan.clock),
    )


def stored(rig: Rig, said: report.Report, file: str) -> bytes:
    assert isinstance(said, report.Encoded), said
    (artifact,) = [one for one in said.outputs if one.file == file]
    return rig.bucket.objects[artifact.key]


def framed(path: Path, content: bytes) -> Frames:
    path.write_bytes(content)
    return seams.read_frames(path)


def whole_frames(path: Path, plan: Plan, ffmpeg: Path, folder: Path) -> Frames:
    """Of one decode of all of it, from the file."""
    graph = f"setpts=PTS-({plan.origin_ticks}),settb={plan.time_base[0]}/{plan.time_base[1]}"
    options = ("-fps_mode", "passthrough", "-enc_time_base", "demux")
    said = subprocess.run(
        [str(ffmpeg), "-v", "error", "-copyts", "-i", str(path), "-map", "0:v", "-vf", graph,
         *options, "-f", "framehash", "-hash", "murmur3", "-"],
        check=True, capture_output=True,
    ).stdout  # fmt: skip
    return framed(folder / "whole.txt", said)


def interval_bytes(path: Path, plan: Plan, number: int, ffprobe: Path) -> int:
    """From the keyframe that the seek must find to the end of the last packet."""
    said = subprocess.run(
        [str(ffprobe), "-v", "error", "-select_streams", "v", "-show_entries",
         "packet=pts,size,pos,flags", "-of", "csv=p=0", str(path)],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    packets = [line.split(",")[:4] for line in said.split()]
    scope = plan.scope(number)
    tick = plan.time_base[0] / plan.time_base[1]
    early = (plan.margin_seconds + 0.5) / tick
    begins = [
        int(pos)
        for pts, _, pos, flags in packets
        if "K" in flags and int(pts) <= (scope.start_ticks or 0) - early
    ]
    ends = [
        int(pos) + int(size)
        for pts, size, pos, _ in packets
        if scope.end_ticks is None or int(pts) < scope.end_ticks
    ]
    return max(ends) - max(begins, default=0)


def toll(caplog: pytest.LogCaptureFixture) -> tuple[int, int]:
    """GETs and bytes, as the worker tells them."""
    (told,) = [one for one in caplog.records if "were read" in one.msg]
    assert isinstance(told.args, tuple)
    read, _, gets = told.args
    assert isinstance(gets, int) and isinstance(read, int)
    return gets, read


@pytest.mark.parametrize("name", FILMS)
def test_a_chunk_has_the_wholes_frames_and_reads_little_more_than_its_interval(
    rig: Rig,
    made: Clips,
    ffmpeg: Path,
    ffprobe: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    caplog.set_level("INFO", "mayfly.worker")
    kept, pack = list[Frames](), lists.pack_frames

    def packed(frames: Frames, *more: Any) -> bytes:
        kept.append(frames)
        return pack(frames, *more)

    monkeypatch.setattr(lists, "pack_frames", packed)
    path = film(made, name, *FILMS[name])
    source, plan = path.read_bytes(), planned(path, ffprobe)
    assert plan.chunks == 4
    expected = whole_frames(path, plan, ffmpeg, tmp_path)
    for number in (0, 2, 3):
        caplog.clear()
        rig.put(a_chunk(rig, source, plan, number))
        last = rig.run_once()[-1]
        scope = plan.scope(number)
        frames = kept.pop()
        mine, its = seams.own(frames, scope), seams.own(expected, scope)
        assert mine.ticks == its.ticks
        hashed = {one for one in zip(mine.ticks, mine.hashes, strict=True) if one[1]}
        assert hashed <= set(zip(its.ticks, its.hashes, strict=True))
        assert bool(hashed) is (scope.end_ticks is not None)
        (tmp_path / "stored").write_bytes(stored(rig, last, FRAMES))
        assert lists.unpack_frames(tmp_path / "stored").ticks == frames.ticks
        gets, read = toll(caplog)
        needed = interval_bytes(path, plan, number, ffprobe)
        print(f"{name} chunk {number}: {gets} GETs, {read / 2**20:.2f} MiB of "
              f"{len(source) / 2**20:.2f}, its interval has {needed / 2**20:.2f}")  # fmt: skip
        assert gets <= 15
        assert read <= 2 * needed + (4 << 20)
    assert not any("Range" not in seen.headers for seen in rig.bucket.seen if seen.method == "GET")


def cutting(rig: Rig) -> None:
    """Workers that cut every source."""
    rig.settings = msgspec.structs.replace(rig.settings, chunk_seconds=SECONDS, workers_max=2)
    rig.work = Encoding(settings=rig.settings)


@pytest.mark.parametrize("name", FILMS)
def test_a_source_with_an_index_is_cut_before_its_pictures_are_read(
    rig: Rig, made: Clips, ffprobe: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """And is cut as by its packets; a source without one is fetched."""
    caplog.set_level("INFO", "mayfly.worker")
    path = film(made, name, *FILMS[name])
    source = path.read_bytes()
    cutting(rig)
    rig.put(rig.task(source, recipe=msgspec.to_builtins(RECIPE)))
    told = [one for one in rig.run_once() if not isinstance(one, report.Progressed)]
    _, said, last = told
    assert isinstance(said, report.Planned) and isinstance(last, report.Encoded)
    assert said.plan == planned(path, ffprobe)
    assert last.scope == said.plan.scope(0)
    assert 0 < last.predicted_seconds < said.plan.predicted_seconds
    gets = [seen.headers for seen in rig.bucket.seen if seen.method == "GET"]
    if name.endswith(".mp4"):
        count, read = toll(caplog)
        assert count == len(gets)
        print(f"{name}: planned, and its first chunk: {count} GETs, {read / 2**20:.2f} MiB")
        assert read < len(source) / 2
    else:
        assert "Range" not in gets[-1]


def test_a_small_source_is_fetched_at_once_unless_somebody_wants_it_cut(
    rig: Rig, made: Clips
) -> None:
    rig.put(rig.task(the_film(made).read_bytes(), recipe=msgspec.to_builtins(RECIPE)))
    last = rig.run_once()[-1]
    assert isinstance(last, report.Encoded) and last.predicted_seconds > 0
    (get,) = [seen for seen in rig.bucket.seen if seen.method == "GET"]
    assert "Range" not in get.headers


def test_a_large_source_that_does_not_pay_to_be_cut_is_fetched_and_encoded_whole(
    rig: Rig, made: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.whole._INDEX_FIRST_BYTES", 1 << 20)
    rig.put(rig.task(the_film(made).read_bytes(), recipe=msgspec.to_builtins(RECIPE)))
    last = rig.run_once()[-1]
    assert isinstance(last, report.Encoded) and last.scope is None
    gets = ["Range" in seen.headers for seen in rig.bucket.seen if seen.method == "GET"]
    assert gets[0] and gets[-1] is False
    assert len(gets) <= 4


def the_film(made: Clips) -> Path:
    return film(made, "first.mp4", *FILMS["first.mp4"])


def test_a_still_is_the_one_of_the_whole_and_one_chunks_alone(
    rig: Rig, made: Clips, ffprobe: Path
) -> None:
    path = the_film(made)
    source, plan = path.read_bytes(), planned(path, ffprobe)
    rig.put(rig.task(source, recipe=msgspec.to_builtins(RECIPE), job_id="whole"))
    whole = stored(rig, rig.run_once()[-1], "poster.jpg")
    for number in range(plan.chunks):
        rig.put(a_chunk(rig, source, plan, number))
        last = rig.run_once()[-1]
        assert isinstance(last, report.Encoded)
        files = {one.file for one in last.outputs}
        assert ("poster.jpg" in files) == (number == 1)
        if number == 1:
            assert stored(rig, last, "poster.jpg") == whole


def test_a_plan_that_knows_other_stills_than_the_recipe_is_refused(
    rig: Rig, made: Clips, ffprobe: Path
) -> None:
    path = the_film(made)
    plan = msgspec.structs.replace(planned(path, ffprobe), stills=())
    rig.put(a_chunk(rig, path.read_bytes(), plan, 1))
    last = rig.run_once()[-1]
    assert isinstance(last, report.Failed)
    assert last.code == "plan_refused"


def beyond(at: int, act: store.Mischief) -> store.Mischief:
    """Acts from the first read on that begins so late."""

    def wait(handler: BaseHTTPRequestHandler, seen: store.Seen) -> bool:
        ranged = seen.headers.get("Range", "bytes=0-").removeprefix("bytes=")
        return int(ranged.partition("-")[0]) >= at and act(handler, seen)

    return wait


def broken_by(rig: Rig, made: Clips, ffprobe: Path, *mischief: store.Mischief) -> report.Report:
    """How the third chunk ends when these happen after it has begun to read its interval."""
    path = the_film(made)
    source, plan = path.read_bytes(), planned(path, ffprobe)
    task = a_chunk(rig, source, plan, 2)
    rig.bucket.mischief += [beyond(len(source) // 2, act) for act in mischief]
    rig.put(task)
    last = rig.run_once()[-1]
    assert rig.bucket.count("POST") == 0
    assert store.SECRET not in msgspec.json.encode(last).decode()
    return last


def test_a_storage_that_drops_and_is_busy_changes_no_byte_of_a_chunk(
    rig: Rig, made: Clips, ffprobe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.reading.PAUSE_SECONDS", 0.01)
    path = the_film(made)
    source, plan = path.read_bytes(), planned(path, ffprobe)
    chunks, gets = [], []
    drop = reads.dropping(rig.bucket, 100_000, key="uploads/source")
    for mischief in ([], [drop, store.answers(503), drop, drop, store.answers(429)]):
        rig.bucket.seen.clear()
        rig.bucket.mischief += [beyond(1, act) for act in mischief]
        rig.put(a_chunk(rig, source, plan, 2))
        chunks.append(stored(rig, rig.run_once()[-1], "video.mp4"))
        gets.append(rig.bucket.count("GET"))
    assert chunks[0] == chunks[1]
    assert gets[1] > gets[0] and rig.bucket.mischief == []


def test_a_source_overwritten_while_its_chunk_is_encoded_is_replaced(
    rig: Rig, made: Clips, ffprobe: Path
) -> None:
    def overwrite(handler: BaseHTTPRequestHandler, seen: store.Seen) -> bool:
        rig.bucket.objects["uploads/source"] = rig.bucket.objects["uploads/source"][::-1]
        rig.bucket.mischief.clear()
        return False

    last = broken_by(rig, made, ffprobe, overwrite)
    assert isinstance(last, report.Failed)
    assert last.code == "source_replaced"


def test_a_source_that_breaks_off_is_never_taken_for_its_end(
    rig: Rig, made: Clips, ffprobe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.reading.PAUSE_SECONDS", 0.01)

    def cut(handler: BaseHTTPRequestHandler, seen: store.Seen) -> bool:
        store.cut(handler)
        return True

    last = broken_by(rig, made, ffprobe, *[cut] * 9)
    assert isinstance(last, report.Failed)
    assert last.code == "source_unreadable"


def test_a_grant_that_dies_while_a_chunk_reads_is_no_failure(
    rig: Rig, made: Clips, ffprobe: Path
) -> None:
    said = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
    last = broken_by(rig, made, ffprobe, store.answers(403, said))
    assert isinstance(last, report.Interrupted)
    assert last.reason == "grant_expired"


def test_an_interval_without_a_frame_is_no_chunk(rig: Rig, made: Clips, ffprobe: Path) -> None:
    path = the_film(made)
    plan = planned(path, ffprobe)
    far = plan.boundaries[-1] * 10
    empty = msgspec.structs.replace(plan, boundaries=(*plan.boundaries, far))
    rig.put(a_chunk(rig, path.read_bytes(), empty, plan.chunks))
    last = rig.run_once()[-1]
    assert isinstance(last, report.Failed)
    assert last.code == "output_broken"
