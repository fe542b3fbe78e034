"""The proof is broken, one piece at a time: what remains of it must catch what went wrong.

Three witnesses look at the parts of a film. `packets`: the frames' list against the whole source's.
`seams`: the hashes on both sides of every seam. `joined`: the times in the joined file itself.
Everything here is made by real workers, and stored as they would store it.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mayfly.contract import report
from mayfly.contract.recipe import Box, VideoOutput
from mayfly.contract.settings import WorkerSettings
from mayfly.contract.task import Input
from mayfly.core import parts
from tests.worker import store
from tests.worker.clips import Clips
from tests.worker.conftest import Rig
from tests.worker.cutting import Film, unmended
from tests.worker.listing import closed, opened
from worker import boxes, seams
from worker.compile_parts import FRAMES, PACKETS

pytestmark = pytest.mark.worker

VIDEO = VideoOutput(speed="ultrafast", box=Box(width=64, height=64))
#: Where each witness speaks, and what it says when it has nothing to say.
WITNESSES: dict[str, tuple[Any, str, Any]] = {
    "packets": (seams, "flaw", ""),
    "seams": (seams, "torn", []),
    "joined": (boxes, "astray", ""),
}
CHUNK, LAST = 5, 11
#: Ticks of a frame, 12 a second, in the file that holds them.
FRAME = 1024


def clip(made: Clips, name: str, *options: str, seconds: int = 12, hue: int = 0) -> bytes:
    picture = f"testsrc2=s=64x64:r=12:d={seconds},hue=h={hue}"
    return made.make(
        name, "-f", "lavfi", "-i", picture, "-c:v", "libx264", "-preset", "ultrafast",
        "-pix_fmt", "yuv420p", *options,
    ).read_bytes()  # fmt: skip


@pytest.fixture(scope="module")
def rig(ffmpeg: Path, ffprobe: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    settings = WorkerSettings(
        pool="standard", jobs_queue_url="jobs", done_queue_url="done", threads=1, memory_mib=4096,
        scratch=str(tmp_path_factory.mktemp("sabotage") / "scratch"),
        source_hosts=("127.0.0.1",), ffmpeg=str(ffmpeg), ffprobe=str(ffprobe),
    )  # fmt: skip
    with store.running() as bucket:
        yield Rig(bucket, settings)


@pytest.fixture(scope="module")
def film(rig: Rig, made: Clips) -> Film:
    """Twelve chunks of twelve frames."""
    film = Film(rig, clip(made, "sabotaged.mp4", "-g", "12"), VIDEO).work()
    assert (film.plan.chunks, film.plan.time_base) == (12, (1, 12 * FRAME))
    return film


def chunk_of(film: Film, number: int) -> parts.Part:
    return film.part(number + film.plan.audio_tracks if number else 0)


def redone(film: Film, number: int, *, start: int = 0, end: int = 0) -> list[Input]:
    """What is joined when a worker took a chunk's interval for another, by so many frames."""
    part, before = chunk_of(film, number), dict(film.brought)
    assert part.scope is not None
    other = msgspec.structs.replace(
        part.scope,
        start_ticks=(part.scope.start_ticks or 0) + start * FRAME,
        end_ticks=None if part.scope.end_ticks is None else part.scope.end_ticks + end * FRAME,
    )
    done = film.do(part, scope=msgspec.to_builtins(other))
    assert isinstance(done, report.Encoded), done
    inputs, film.brought = film.inputs(), before
    return inputs


def relisted(film: Film, inputs: list[Input], file: str, number: int, change: Any) -> list[Input]:
    """The same with other lines in one list."""
    (at,) = (
        at
        for at, part in enumerate(inputs)
        if part.file == file and (part.number == number or part.kind == "audio")
    )
    key = inputs[at].fetch.url.partition("/bucket/")[2].partition("?")[0]
    lines = opened(film.rig.bucket.objects[key])
    changed = film.falsified(inputs[at], closed(change(lines)))
    return [*inputs[:at], changed, *inputs[at + 1 :]]


# --- What can go wrong ------------------------------------------------------------------------


def ordered_by_name(film: Film, _: Clips) -> list[Input]:
    return sorted(film.inputs(), key=lambda part: (part.kind == "audio", str(part.number)))


def shifted_by_a_frame(film: Film, _: Clips) -> list[Input]:
    return redone(film, CHUNK, start=1, end=1)


def begun_a_frame_late(film: Film, _: Clips) -> list[Input]:
    return redone(film, CHUNK, start=1)


def begun_a_frame_early(film: Film, _: Clips) -> list[Input]:
    return redone(film, CHUNK, start=-1)


def ended_a_frame_early(film: Film, _: Clips) -> list[Input]:
    return redone(film, CHUNK, end=-1)


def ended_a_frame_late(film: Film, _: Clips) -> list[Input]:
    return redone(film, CHUNK, end=1)


def last_ended_early(film: Film, _: Clips) -> list[Input]:
    """As where a truncated read looks like the end."""
    part = chunk_of(film, LAST)
    assert part.scope is not None and part.scope.start_ticks is not None
    before = dict(film.brought)
    early = msgspec.structs.replace(part.scope, end_ticks=part.scope.start_ticks + 9 * FRAME)
    assert isinstance(film.do(part, scope=msgspec.to_builtins(early)), report.Encoded)
    inputs, film.brought = film.inputs(), before
    return inputs


def decoded_from_too_late_on(film: Film, _: Clips) -> list[Input]:
    """As a seek behind the keyframe leaves it: neither the seam nor the first frames are there."""
    inputs = redone(film, CHUNK, start=4)
    begun = (CHUNK * 12 + 4) * FRAME

    def since(lines: list[str]) -> list[str]:
        return [line for line in lines if int(line.partition(" ")[0]) >= begun]

    return relisted(film, inputs, FRAMES, CHUNK, since)


def other_pictures(film: Film, made: Clips) -> list[Input]:
    """As a source that was replaced midway: the same times, other pictures."""
    source, film.source = film.source, clip(made, "other.mp4", "-g", "12", hue=90)
    inputs = redone(film, CHUNK)
    film.source = source
    return inputs


def one_chunk_for_another(film: Film, _: Clips) -> list[Input]:
    inputs = film.inputs()
    videos = [part for part in inputs if part.file == "video.mp4" and part.kind == "chunk"]
    return [videos[CHUNK] if part is videos[CHUNK + 1] else part for part in inputs]


def packet_forgotten(film: Film, _: Clips) -> list[Input]:
    return relisted(film, film.inputs(), PACKETS, 0, lambda lines: lines[:70] + lines[71:])


def last_packet_forgotten(film: Film, _: Clips) -> list[Input]:
    return relisted(film, film.inputs(), PACKETS, 0, lambda lines: lines[:-1])


def packet_invented(film: Film, _: Clips) -> list[Input]:
    later = str(144 * FRAME)
    return relisted(film, film.inputs(), PACKETS, 0, lambda lines: [*lines, later])


def packet_moved(film: Film, _: Clips) -> list[Input]:
    def moved(lines: list[str]) -> list[str]:
        return [*lines[:70], str(int(lines[70]) + 1), *lines[71:]]

    return relisted(film, film.inputs(), PACKETS, 0, moved)


Sabotage = Callable[[Film, Clips], list[Input]]

#: Each with the witnesses of whom any single one suffices.
SABOTAGES: list[tuple[Sabotage, set[str]]] = [
    (ordered_by_name, {"packets", "seams", "joined"}),
    (shifted_by_a_frame, {"seams", "joined"}),
    (begun_a_frame_late, {"seams", "joined"}),
    (begun_a_frame_early, {"seams", "joined"}),
    (ended_a_frame_early, {"packets", "seams", "joined"}),
    (ended_a_frame_late, {"seams", "joined"}),
    (last_ended_early, {"packets", "joined"}),
    (decoded_from_too_late_on, {"packets", "seams", "joined"}),
    (other_pictures, {"seams"}),
    (one_chunk_for_another, {"joined"}),
    (packet_forgotten, {"packets", "joined"}),
    (last_packet_forgotten, {"packets", "joined"}),
    (packet_invented, {"packets", "joined"}),
    (packet_moved, {"packets", "joined"}),
]


def heard(film: Film, inputs: list[Input], patch: pytest.MonkeyPatch, *present: str) -> str:
    """What a finish says to which only these witnesses speak; nothing when it joins."""
    with patch.context() as absent:
        unmended(absent)
        for name in WITNESSES.keys() - set(present):
            where, what, nothing = WITNESSES[name]
            absent.setattr(where, what, lambda *_, nothing=nothing: nothing)
        said = film.finish(inputs)
    if isinstance(said, report.Encoded):
        return ""
    assert isinstance(said, report.Failed), said
    # Without a witness it may be ffmpeg that cannot join them.
    assert said.code == "output_broken" or len(present) < len(WITNESSES), said
    return said.detail


def test_what_is_not_sabotaged_is_joined(film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    assert heard(film, film.inputs(), monkeypatch, *WITNESSES) == ""
    assert film.brought["finish"].outputs[0].media.frames == 144
    # Made anew, a chunk is as good as before.
    assert heard(film, redone(film, CHUNK), monkeypatch, *WITNESSES) == ""


@pytest.mark.parametrize(
    ("sabotage", "seen_by"), SABOTAGES, ids=lambda one: getattr(one, "__name__", "")
)
def test_every_sabotage_is_caught(
    film: Film, made: Clips, monkeypatch: pytest.MonkeyPatch, sabotage: Sabotage, seen_by: set[str]
) -> None:
    inputs = sabotage(film, made)
    assert heard(film, inputs, monkeypatch, *WITNESSES)
    found = {name for name in WITNESSES if _names(heard(film, inputs, monkeypatch, name), name)}
    assert found == seen_by


def _names(said: str, witness: str) -> bool:
    """Whether these are that witness's words, and not those of the count that follows the join."""
    words = {"packets": ("misplaced", "no chunk"), "seams": ("do not fit",), "joined": ("joined:",)}
    return any(word in said for word in words[witness])


def test_without_the_hashes_other_pictures_would_be_delivered(
    film: Film, made: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Times, count and format are right; only both sides of a seam can tell."""
    assert heard(film, other_pictures(film, made), monkeypatch, "packets", "joined") == ""


def long_gops(made: Clips) -> bytes:
    """Keyframes 10 s apart, as x264 sets them unless told otherwise."""
    return clip(made, "long-gops.ts", "-g", "120", "-sc_threshold", "0", seconds=24)


@pytest.mark.parametrize("margin", [0.0, 3.0])
def test_a_margin_shorter_than_the_gop_of_a_stream_is_caught(
    rig: Rig, made: Clips, monkeypatch: pytest.MonkeyPatch, margin: float
) -> None:
    """3 s once seemed enough for everything."""
    film = Film(rig, long_gops(made), VIDEO, chunk_seconds=4)
    film.begin()
    film.plan = msgspec.structs.replace(film.plan, margin_seconds=margin)
    said = [film.do(film.part(index)) for index in range(1, parts.count(film.plan))]
    failed = [one for one in said if isinstance(one, report.Failed)]
    if failed:  # a chunk that knows of the packets sees it by itself
        assert {one.code for one in failed} == {"output_broken"}
    else:
        assert heard(film, film.inputs(), monkeypatch, "packets")
        assert heard(film, film.inputs(), monkeypatch, "seams")


def test_with_its_own_margin_the_same_stream_is_whole(
    rig: Rig, made: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = Film(rig, long_gops(made), VIDEO, chunk_seconds=4).work()
    assert film.plan.margin_seconds >= 10
    assert heard(film, film.inputs(), monkeypatch, *WITNESSES) == ""
    assert film.brought["finish"].outputs[0].media.frames == 288
