"""What a source says of itself is left out, or kept where a recipe says so; where and with what it
was made never is. Whole and cut, in every kind of file."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mayfly.contract import report
from mayfly.contract.formats import SOUND_FILES, VIDEO_FILES
from mayfly.contract.recipe import AudioOutput, Box, VideoOutput
from tests.worker.clips import Clips
from tests.worker.conftest import Rig
from tests.worker.cutting import Film, unmended
from worker import compile_parts, containers, words

pytestmark = pytest.mark.worker

_SAID = {
    "title": 'Über "alles"; -y\n%d $(id) \u202e:=,[x]',
    "artist": "A. Nobody",
    "album": "x" * 300,
    "date": "2024-05-01",
    "comment": "said " * 400,
    "location": "+48.8577+002.2950/",
    "make": "Telephone",
    "synopsis": "at home",
}
KEPT = {
    "title": 'Über "alles"; -y %d $(id) :=,[x]',
    "artist": "A. Nobody",
    "album": "x" * 200,
    "date": "2024-05-01",
    "comment": ("said " * 400)[:1000].strip(),
}


def source(made: Clips, **changed: str) -> bytes:
    told = [part for one in {**_SAID, **changed}.items() for part in ("-metadata", "=".join(one))]
    return made.make(
        f"told{''.join(changed)}.mkv",
        "-f", "lavfi", "-i", "testsrc2=s=64x64:r=12:d=3", "-f", "lavfi", "-i", "sine=r=48000:d=3",
        "-c:v", "libx264", "-preset", "ultrafast", "-g", "12", "-c:a", "pcm_s16le",
        *told, "-metadata:s:a:0", "language=ger", "-metadata:s:v:0", "title=Front door",
    ).read_bytes()  # fmt: skip


def outputs(metadata: Any) -> list[Any]:
    """One of each kind of file."""
    films = [
        VideoOutput(
            file=f"film{end}", codec=kind.pictures[0], box=Box(width=64, height=64),
            speed="ultrafast", metadata=metadata,
        )
        for end, kind in VIDEO_FILES.items()
    ]  # fmt: skip
    sounds = [AudioOutput(file=f"sound{end}", metadata=metadata) for end in SOUND_FILES]
    return [*films, *sounds]


def ways(rig: Rig, content: bytes, *wanted: Any) -> list[report.Encoded]:
    """What becomes of it whole, and cut."""
    said = [Film(rig, content, *wanted, chunk_seconds=99).begin()[-1]]
    said.append(Film(rig, content, *wanted).work().finish())
    assert all(isinstance(one, report.Encoded) for one in said), said
    return said  # type: ignore[return-value]


def tags(ffprobe: Path, content: bytes, folder: Path) -> str:
    """All that the file says, in lower case."""
    (folder / "made").write_bytes(content)
    said = subprocess.run(
        [str(ffprobe), "-v", "error", "-show_entries", "format_tags:stream_tags", "-of", "json",
         str(folder / "made")],
        check=True, capture_output=True,
    ).stdout  # fmt: skip
    found = json.loads(said)
    every = [found["format"].get("tags", {}), *(one.get("tags", {}) for one in found["streams"])]
    return json.dumps(every, ensure_ascii=False).lower()


@pytest.mark.timeout(300)
def test_what_is_kept_is_kept_in_every_kind_of_file_and_nothing_else(
    rig: Rig, made: Clips, ffprobe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unmended(monkeypatch)
    for said in ways(rig, source(made), *outputs("keep")):
        for output in said.outputs:
            assert output.media.tags == KEPT, output.file
            found = tags(ffprobe, rig.bucket.objects[output.key], tmp_path)
            for word in ("48.85", "telephone", "at home", "front door", "\u202e"):
                assert word not in found, output.file
            if not output.file.endswith((".mp3", ".flac")):
                assert output.media.sounds[0].language == "deu", output.file


@pytest.mark.timeout(300)
def test_by_itself_a_file_says_nothing(
    rig: Rig, made: Clips, ffprobe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unmended(monkeypatch)
    for said in ways(rig, source(made), *outputs("strip")):
        for output in said.outputs:
            assert output.media.tags is None, output.file
            found = tags(ffprobe, rig.bucket.objects[output.key], tmp_path)
            for word in ("über", "nobody", "xxx", "2024", "said", "48.85", "telephone", "deu"):
                assert word not in found, output.file


def test_sources_in_ogg_say_it_of_their_sound(rig: Rig, made: Clips) -> None:
    content = made.make(
        "told.ogg", "-f", "lavfi", "-i", "sine=d=1", "-c:a", "libopus", "-metadata", "title=A song"
    ).read_bytes()
    said = Film(rig, content, AudioOutput(metadata="keep")).begin()[-1]
    assert isinstance(said, report.Encoded), said
    assert said.outputs[0].media.tags == {"title": "A song"}


@pytest.mark.parametrize("text", ["+48.8577+002.2950/", "at -33.8568+151.2153+004/ in summer"])
def test_a_place_is_not_kept_under_another_name(rig: Rig, made: Clips, text: str) -> None:
    said = words.kept({"comment": text, "TITLE": "t", "date": "+485127+0021742/"})
    assert said == {"title": "t"}


@pytest.mark.parametrize("more", [{"metadata#location": "location=+48.8577+002.2950/"},
                                  {"metadata#title": "title=Another"},
                                  {"metadata#artist": "artist="}])  # fmt: skip
@pytest.mark.parametrize("chunk_seconds", [1, 99])
def test_a_file_that_says_something_else_is_not_delivered(
    rig: Rig, made: Clips, monkeypatch: pytest.MonkeyPatch, more: dict[str, str],
    chunk_seconds: int,
) -> None:  # fmt: skip
    unmended(monkeypatch)
    real = containers.told
    monkeypatch.setattr(containers, "told", lambda *given: {**real(*given), **more})
    output = VideoOutput(
        file="f.mkv", box=Box(width=64, height=64), speed="ultrafast", metadata="keep", audio=None
    )
    film = Film(rig, source(made), output, chunk_seconds=chunk_seconds)
    said = film.begin()[-1] if chunk_seconds == 99 else film.work().finish()
    assert isinstance(said, report.Failed), said
    name = next(iter(more)).partition("#")[2]
    assert (said.code, said.detail) == (
        "output_broken", f"f.mkv says another {name} than it shall"
    )  # fmt: skip


def test_nothing_of_the_source_is_in_a_part_that_lies_in_the_bucket(rig: Rig, made: Clips) -> None:
    film = Film(rig, source(made), *outputs("keep")[:1]).work()
    for task, files in ((one, film.stored(one)) for one in film.brought):
        for name, content in files.items():
            assert b"Nobody" not in content, f"{name} of {task}"
    assert compile_parts.PACKETS in film.stored("audio-0")
