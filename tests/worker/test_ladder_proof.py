"""What is no ladder is not delivered: keyframes elsewhere than at segments, indexes that do not fit
each other or lead elsewhere. A chunk that does not fit is made once more.
"""

import gzip
import zlib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mayfly.contract import report
from mayfly.contract.ladder import Ready
from mayfly.core import ladders
from tests.worker import climbing
from tests.worker.climbing import FILMS, LADDER, climbed, published, shown
from tests.worker.clips import Clips
from tests.worker.conftest import Rig
from tests.worker.cutting import Film, unmended
from worker import compile_ladder

pytestmark = pytest.mark.worker


def test_a_chunk_that_does_not_fit_is_made_once_more_and_its_segments_are_the_finishs(
    rig: Rig, made: Clips, ffmpeg: Path, tmp_path: Path
) -> None:
    source = made.make("climbed-even.mp4", *FILMS["even.mp4"][0]).read_bytes()
    other = made.make("climbed-other.mp4", *FILMS["even.mp4"][0], "-vf", "negate").read_bytes()
    with climbing.lossless():
        film, cut = climbed(rig, source, tmp_path / "good", LADDER)
        film.source = other
        film.do(film.part(2 + film.plan.audio_tracks - 1))
        film.source = source
        said = film.finish()
    assert isinstance(said, report.Encoded)
    assert "Made once more, from further back: chunks 1, 2." in said.note
    mended = published(film.stored("finish"), rig.bucket.objects, tmp_path / "mended")
    assert [s.hashes for s in shown(ffmpeg, mended)] == [s.hashes for s in shown(ffmpeg, cut)]
    ready = msgspec.json.decode(film.stored("finish")[ladders.PUBLISHED], type=Ready)
    tasks = [run.prefix.split("/")[2] for run in ready.layers[0].runs]
    assert tasks == [
        "encode",
        "finish",
        "finish",
        *(f"chunk-{n:05d}" for n in range(3, len(tasks))),
    ]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"g": 33, "keyint_min": 33}, "at each 50 frames"),
        ({"flags:v": "+cgop", "force_key_frames:v": "expr:eq(n,7)"}, "at each 50 frames"),
        ({"x264-params": "open-gop=1:keyint=50"}, ""),
    ],
)
def test_keyframes_elsewhere_than_at_segments_are_not_delivered(
    rig: Rig, made: Clips, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], told: str
) -> None:
    real = compile_ladder.encoded
    monkeypatch.setattr(
        compile_ladder, "encoded", lambda *given, **more: {**real(*given, **more), **changed}
    )
    source = made.make("climbed-even.mp4", *FILMS["even.mp4"][0]).read_bytes()
    last = Film(rig, source, LADDER, chunk_seconds=3600).begin()[-1]
    assert isinstance(last, report.Failed), last
    assert last.code == "output_broken" and told in last.detail


def indexed(film: Film, number: int, change: Any) -> Any:
    """The inputs of a finish, with another index of a chunk."""
    inputs = film.inputs()
    (at,) = (
        n
        for n, part in enumerate(inputs)
        if part.file == ladders.INDEX and part.kind == "chunk" and part.number == number
    )
    key = inputs[at].key
    content = change(film.rig.bucket.objects[key])
    film.rig.bucket.objects[key + ".other"] = content
    changed = film.falsified(inputs[at], content)
    inputs[at] = msgspec.structs.replace(changed, key=inputs[at].key)
    return inputs


@pytest.fixture
def film(rig: Rig, made: Clips, monkeypatch: pytest.MonkeyPatch) -> Film:
    """Four chunks, done; what the finish doubts it does not make good."""
    unmended(monkeypatch)
    source = made.make("climbed-even.mp4", *FILMS["even.mp4"][0]).read_bytes()
    return Film(rig, source, LADDER).work()


def _index_of(content: bytes) -> Any:
    return msgspec.json.decode(gzip.decompress(content))


def _packed(value: Any) -> bytes:
    return gzip.compress(msgspec.json.encode(value))


def test_another_chunks_index_leaves_a_gap(film: Film) -> None:
    other = film.stored("chunk-00002")[ladders.INDEX]
    last = film.finish(indexed(film, 1, lambda _: other))
    assert isinstance(last, report.Failed)
    assert last.detail == "chunk 1: v0 has a gap or an overlap at 2"


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("tracks", 0, "init_sha256"), "0" * 64, "v0 is of another making"),
        (("tracks", 1, "codec"), "avc1.640033", "v1 is of another making"),
        (("tracks", 0, "name"), "v1", "a track twice"),
        (("tracks", 0, "name"), "../v0", "no index of a ladder"),
        (("tracks", 0, "name"), "v3", "other sizes than the first"),
        (("folder",), "hls2", "the ladder hls2, not hls"),
        (("folder",), "../../x", "no index of a ladder"),
        (("tracks", 0, "segments", 0, 0), 2, "a gap or an overlap at 2"),
        (("tracks", 0, "segments", 0, 0), 10**9, "no index of a ladder"),
        (("tracks", 0, "segments", 0, 1), -1, "no index of a ladder"),
        (("tracks", 0, "segments", 0, 2), 0, "a gap or an overlap"),
        (("tracks", 0, "segments", 0, 4), "nothing", "no index of a ladder"),
        (("tracks", 0, "segments"), [], "has a gap or an overlap at 2"),
        (("tracks",), [], "other sizes than the first"),
    ],
)
def test_an_index_that_does_not_fit_is_not_delivered(
    film: Film, path: tuple[str | int, ...], value: Any, told: str
) -> None:
    def change(content: bytes) -> bytes:
        index = _index_of(content)
        at = index
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = value
        return _packed(index)

    last = film.finish(indexed(film, 1, change))
    assert isinstance(last, report.Failed), last
    assert last.code == "output_broken"
    assert told in last.detail


@pytest.mark.parametrize("file", [ladders.INDEX, "_frames.txt.gz"])
def test_a_list_that_unpacks_into_gigabytes_is_not_read(film: Film, file: str) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join([*(packer.compress(bytes(1 << 24)) for _ in range(8)), packer.flush()])
    assert len(bomb) < 1 << 20
    inputs = film.inputs()
    at = next(n for n, part in enumerate(inputs) if part.file == file and part.number == 1)
    inputs[at] = msgspec.structs.replace(film.falsified(inputs[at], bomb), key=inputs[at].key)
    last = film.finish(inputs)
    assert isinstance(last, report.Failed)
    assert "larger than any list" in last.detail
