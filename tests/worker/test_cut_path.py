"""A source that is cut, from its first task to the deliverable, with the real ffmpeg."""

from array import array
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from mayfly.contract import report, wire
from mayfly.contract.recipe import AudioOutput, Box, PosterOutput, Recipe, VideoOutput
from mayfly.contract.task import Input
from mayfly.core import parts
from tests.worker.clips import Clips
from tests.worker.conftest import Rig, kinds, left, milestones
from tests.worker.cutting import Film, unmended
from tests.worker.listing import opened
from worker import lists, seams
from worker.compile_parts import FRAMES, PACKETS
from worker.halt import Halt
from worker.prober import Prober

pytestmark = pytest.mark.worker

SMALL = Box(width=160, height=90)
VIDEO = VideoOutput(speed="ultrafast", box=SMALL)
POSTER = PosterOutput(at_fraction=0.75, box=SMALL)
AUDIO = AudioOutput()


@pytest.fixture
def looked_at(ffprobe: Path, tmp_path: Path) -> Any:
    """The times of a file's frames in seconds, by its packets; and its streams."""

    def look(content: bytes) -> tuple[list[Fraction], Any]:
        (tmp_path / "looked-at").write_bytes(content)
        prober = Prober(str(ffprobe))
        probe = prober.probe("looked-at", folder=tmp_path, halt=Halt())
        scan = prober.scan("looked-at", probe, folder=tmp_path, halt=Halt())
        return [tick * scan.tick for tick in scan.ticks], probe

    return look


def done(said: report.Report) -> report.Encoded:
    assert isinstance(said, report.Encoded), said
    return said


def refused(said: report.Report) -> str:
    assert isinstance(said, report.Failed), said
    assert said.code == "output_broken", said
    return said.detail


@pytest.fixture(autouse=True)
def doubts_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """How they are made good stands in `test_made_good.py`."""
    unmended(monkeypatch)


# --- What it comes to -------------------------------------------------------------------------


def test_the_first_worker_says_a_plan_and_does_its_first_chunk(rig: Rig, made: Clips) -> None:
    film = Film(rig, made.plain(seconds=3, name="three.mp4").read_bytes(), VIDEO, POSTER, AUDIO)

    said = film.begin()

    assert kinds(said) == ["Started", "Planned", "Encoded"]
    assert parts.flaw(film.plan) == ""
    assert (film.plan.chunks, film.plan.audio_tracks) == (3, 1)
    encoded = film.brought["encode"]
    assert encoded.scope == film.plan.scope(0)
    # The poster is in the last third.
    assert [output.file for output in encoded.outputs] == ["video.mp4", FRAMES]
    assert encoded.outputs[0].media.frames == 25
    assert left(rig) == (0, 0, 0)


def test_all_parts_make_every_output_whole(rig: Rig, made: Clips, looked_at: Any) -> None:
    source = made.plain(seconds=3, name="three.mp4").read_bytes()
    film = Film(rig, source, VIDEO, POSTER, AUDIO).work()

    finish = done(film.finish())

    assert [output.file for output in finish.outputs] == ["video.mp4", "poster.jpg", "audio.m4a"]
    video, poster, audio = (output.media for output in finish.outputs)
    assert (video.frames, video.width, video.height) == (75, 160, 90)
    assert (video.video_codec, video.audio_codec) == ("h264", "aac")
    assert (poster.frames, poster.width) == (1, 160)
    assert (audio.audio_codec, audio.video_codec) == ("aac", None)
    assert finish.proof == report.Proof(chunks=3, frames=75, seams_checked=2, samples=144_000)
    stored = film.stored("finish")
    times, probe = looked_at(stored["video.mp4"])
    assert times == looked_at(source)[0] == [Fraction(number, 25) for number in range(75)]
    assert probe.sound().duration == pytest.approx(3.0, abs=0.05)
    assert stored["video.mp4"].index(b"moov") < stored["video.mp4"].index(b"mdat")
    assert stored["poster.jpg"].startswith(b"\xff\xd8")
    assert left(rig) == (0, 0, 0)


def test_the_poster_of_the_parts_is_the_poster_of_the_whole(rig: Rig, made: Clips) -> None:
    source = made.counted("counted.mp4").read_bytes()
    for at_fraction in (0.0, 0.5, 1.0):
        poster = PosterOutput(at_fraction=at_fraction)
        film = Film(rig, source, VideoOutput(speed="ultrafast"), poster).work()
        done(film.finish())
        whole = Film(rig, source, poster)
        assert milestones(whole.begin()) == ["Started", "Encoded"], "without a video nothing is cut"
        assert film.stored("finish")["poster.jpg"] == whole.stored("encode")["poster.jpg"]


def test_a_silent_source_is_joined_without_sound(rig: Rig, made: Clips, looked_at: Any) -> None:
    source = made.silent("silent-3.mp4", "-t", "3", "-vf", "tpad=stop=-1:stop_mode=clone")
    film = Film(rig, source.read_bytes(), VIDEO).work()

    (output,) = done(film.finish()).outputs

    assert (output.media.frames, output.media.audio_codec) == (75, None)
    # Somebody has to list the packets.
    assert list(film.stored("audio-0")) == [PACKETS]


def test_sound_that_nobody_asked_for_is_left_out(rig: Rig, made: Clips) -> None:
    source = made.plain(seconds=3, name="three.mp4").read_bytes()
    film = Film(rig, source, VideoOutput(speed="ultrafast", box=SMALL, audio=None)).work()
    assert done(film.finish()).outputs[0].media.audio_codec is None


def test_outputs_may_be_called_like_our_own_lists(rig: Rig, made: Clips) -> None:
    source = made.plain(seconds=3, name="three.mp4").read_bytes()
    names = ("frames.mp4", "packets.mp4")
    outputs = (VideoOutput(file=name, speed="ultrafast", box=SMALL) for name in names)
    film = Film(rig, source, *outputs).work()
    assert [output.media.frames for output in done(film.finish()).outputs] == [75, 75]
    for reserved in (FRAMES, PACKETS):
        with pytest.raises(wire.Refusal):
            wire.convert(Recipe, {"outputs": [{"kind": "video", "file": reserved}]})


def test_two_sizes_are_cut_and_joined_beside_each_other(rig: Rig, made: Clips) -> None:
    source = made.plain(seconds=3, name="three.mp4").read_bytes()
    tiny = VideoOutput(file="tiny.mp4", speed="ultrafast", box=Box(width=64, height=64), audio=None)
    film = Film(rig, source, VIDEO, tiny).work()
    video, small = (output.media for output in done(film.finish()).outputs)
    assert (video.frames, video.width, video.audio_codec) == (75, 160, "aac")
    assert (small.frames, small.width, small.audio_codec) == (75, 64, None)


@pytest.mark.parametrize(
    "clip", ["offset_stream", "interlaced", "webm", "portrait", "late_picture", "broadcast"]
)
def test_the_parts_show_what_the_whole_shows(
    rig: Rig, made: Clips, looked_at: Any, clip: str
) -> None:
    """A clock from 1000 s on with late sound; fields; hidden pictures; a picture that lies down;
    one that comes late; a clock whose ticks are no whole part of a second."""
    source = getattr(made, clip)().read_bytes()
    video = VideoOutput(speed="veryfast", box=SMALL)
    film = Film(rig, source, video).work()
    done(film.finish())
    whole = Film(rig, source, video, chunk_seconds=3600)
    assert milestones(whole.begin()) == ["Started", "Encoded"]
    times, probe = looked_at(film.stored("finish")["video.mp4"])
    wanted_times, wanted = looked_at(whole.stored("encode")["video.mp4"])
    assert times == wanted_times
    one, other = probe.picture(), wanted.picture()
    assert (one.width, one.height) == (other.width, other.height)
    if wanted.sound():
        heard, wanted_heard = probe.sound(), wanted.sound()
        assert heard.start_time == wanted_heard.start_time
        assert heard.duration == pytest.approx(wanted_heard.duration, abs=0.001)


@pytest.mark.parametrize("container", ["mkv", "flv", "ts"])
def test_frames_that_a_container_rounds_are_joined_with_b_frames(
    rig: Rig, made: Clips, looked_at: Any, container: str
) -> None:
    """41 or 42 ms, as Matroska and Flash have them: each chunk begins with another length."""
    source = made.rounded(container).read_bytes()
    film = Film(rig, source, VideoOutput(speed="veryfast", box=SMALL)).work()
    done(film.finish())
    times = looked_at(film.stored("finish")["video.mp4"])[0]
    wanted = looked_at(source)[0]
    assert times == [time - wanted[0] for time in wanted]


@pytest.mark.parametrize("speed", ["ultrafast", "veryfast"])
def test_frames_at_uneven_distances_are_joined_with_and_without_b_frames(
    rig: Rig, made: Clips, looked_at: Any, speed: Any
) -> None:
    source = made.variable().read_bytes()
    film = Film(rig, source, VideoOutput(speed=speed, box=SMALL)).work()
    done(film.finish())
    assert looked_at(film.stored("finish")["video.mp4"])[0] == looked_at(source)[0]


def test_the_same_part_done_twice_is_the_same(rig: Rig, made: Clips) -> None:
    film = Film(rig, made.plain(seconds=3, name="three.mp4").read_bytes(), VIDEO).work()
    part = film.part(2)
    before = film.stored(part.task_id)
    done(film.do(part))
    assert film.stored(part.task_id) == before


# --- What is not joined -----------------------------------------------------------------------


@pytest.fixture
def film(rig: Rig, made: Clips) -> Film:
    """Three chunks and a sound, done; nothing is joined yet."""
    source = made.plain(seconds=3, name="three.mp4").read_bytes()
    return Film(rig, source, VIDEO, POSTER).work()


def of_chunk(inputs: list[Input], number: int) -> list[Input]:
    return [part for part in inputs if part.kind == "chunk" and part.number == number]


def test_a_list_without_a_chunk_is_not_joined(film: Film) -> None:
    inputs = film.inputs()
    for number in range(3):
        gone = of_chunk(inputs, number)
        assert "frames" in refused(film.finish(part for part in inputs if part not in gone))


def test_a_list_with_a_chunk_twice_is_not_joined(film: Film) -> None:
    inputs = film.inputs()
    for number in range(3):
        again = of_chunk(inputs, number)
        at = inputs.index(again[-1]) + 1
        assert "misplaced" in refused(film.finish([*inputs[:at], *again, *inputs[at:]]))


def test_a_list_in_another_order_is_not_joined(film: Film) -> None:
    inputs = film.inputs()
    first, second, third = (of_chunk(inputs, number) for number in range(3))
    rest = [part for part in inputs if part.kind != "chunk"]
    assert "misplaced" in refused(film.finish([*first, *third, *second, *rest]))


def test_pictures_alone_in_another_order_are_not_joined(film: Film) -> None:
    """The lists of frames are in order; what they speak of is not."""
    inputs = film.inputs()
    one, other = (of_chunk(inputs, number)[0] for number in (1, 2))
    assert one.file == other.file == "video.mp4"
    at, then = inputs.index(one), inputs.index(other)
    inputs[at], inputs[then] = other, one
    assert refused(film.finish(inputs)) == (
        "video.mp4, joined: frames that are to be decoded at one time"
    )


def test_pictures_of_one_chunk_in_place_of_anothers_are_not_joined(film: Film) -> None:
    inputs = film.inputs()
    one, other = (of_chunk(inputs, number)[0] for number in (1, 2))
    swapped = [one if part is other else part for part in inputs]
    assert "joined: 75 frames, not 75 in their places" in refused(film.finish(swapped))


def test_a_chunk_of_another_making_is_not_joined(film: Film, made: Clips) -> None:
    other = Film(
        film.rig, film.source, VideoOutput(speed="ultrafast", box=Box(width=80, height=90))
    )
    other.work()
    (strange, _) = of_chunk(other.inputs(), 1)
    inputs = [strange if part in of_chunk(film.inputs(), 1)[:1] else part for part in film.inputs()]
    assert refused(film.finish(inputs)) == "chunk 1 is of another making"


@pytest.mark.parametrize("file", ["video.mp4", FRAMES, PACKETS])
@pytest.mark.parametrize("how", ["shorter", "gone", "changed"])
def test_a_part_that_is_not_as_it_was_stored_is_not_joined(film: Film, file: str, how: str) -> None:
    part = next(part for part in film.inputs() if part.file == file)
    key = next(key for key in film.rig.bucket.objects if key in part.fetch.url)
    content = film.rig.bucket.objects[key]
    changed = bytes([content[-1] ^ 1])
    now = {"shorter": content[:-1], "changed": content[:-1] + changed}.get(how)
    film.rig.bucket.objects.pop(key)
    if now is not None:
        film.rig.bucket.objects[key] = now
    assert refused(film.finish()) == f"{file} of {part.kind} {part.number} is not as stored"


@pytest.mark.parametrize("file", [PACKETS, "poster.jpg"])
def test_what_nobody_or_two_brought_is_not_joined(film: Film, file: str) -> None:
    inputs = film.inputs()
    (only,) = (part for part in inputs if part.file == file)
    without = [part for part in inputs if part is not only]
    assert refused(film.finish(without)) == f"0 parts brought {file}"
    assert refused(film.finish([*inputs, only])) == f"2 parts brought {file}"


def test_fragments_that_were_cut_off_are_not_joined(film: Film) -> None:
    """As they were stored, but stored cut off: the sizes and hashes agree."""
    for number, less in ((1, 1), (1, 3000), (2, 2000)):
        inputs = film.inputs()
        part = of_chunk(inputs, number)[0]
        content = film.stored(f"chunk-{number:05d}")["video.mp4"]
        cut = film.falsified(part, content[:-less])
        said = refused(film.finish(cut if one is part else one for one in inputs))
        assert said.startswith(f"chunk {number}: a box of")


def test_a_list_that_cannot_be_read_is_no_fault_of_the_source(film: Film) -> None:
    said = film.finish_with(b'{"version": 1, "parts": 5}')
    assert isinstance(said, report.Failed)
    assert (said.code, said.detail) == ("worker_failed", "the list of parts cannot be read")


def test_the_lists_of_a_chunk_count_from_the_plans_origin(rig: Rig, made: Clips) -> None:
    film = Film(rig, made.offset_stream().read_bytes(), VIDEO).work()
    packets = array("q", map(int, opened(film.stored("audio-0")[PACKETS])))
    assert packets[0] == 0 and film.plan.origin_ticks > 90_000_000
    chunks = []
    for number, task in enumerate(("encode", "chunk-00001")):
        path = Path(rig.settings.scratch).parent / f"{number}.txt"
        path.write_bytes(film.stored(task)[FRAMES])
        chunks.append((film.plan.scope(number), lists.unpack_frames(path)))
    assert seams.flaw(packets, chunks) == ""
    assert seams.torn(chunks, 45_000) == []
