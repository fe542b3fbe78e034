"""What `mayfly local encode --out` brings home: files, and ladders in their folders."""

from pathlib import Path

import pytest

from console import laptop, reach
from mayfly.contract.outcome import Outcome, Published
from mayfly.contract.report import Media
from mayfly.memory.world import MemoryWorld, memory_world

CLEAN = "outputs/x/web-hls/job1/"


class _Cargo:
    """Downloads from a storage in memory."""

    def __init__(self, w: MemoryWorld) -> None:
        self._w = w
        self.taken: list[str] = []

    def upload(self, path: Path, key: str, _: object) -> None:
        raise NotImplementedError

    def download(self, key: str, path: Path, _: object) -> None:
        found = self._w.store.get("media", key)
        assert found is not None
        self.taken.append(key)
        path.write_bytes(found.body)


def published(file: str, files: int = 1) -> Published:
    media = Media(container="hls")
    return Published(
        file=file, key=CLEAN + file, size_bytes=1, sha256="0", media=media, files=files
    )


@pytest.fixture
def outcome() -> Outcome:
    return Outcome(
        job_id="job1", event_id="job1-1", state="succeeded", source="s3://media/x",
        preset="web-hls", tenant="default", run=1,
        accepted_at=0, ended_at=1, attempts=1, interruptions=0,
        outputs=(
            published("hls/master.m3u8", files=6),
            published("hls/manifest.mpd"),
            published("poster.jpg"),
        ),
    )  # fmt: skip


def test_a_ladder_comes_into_its_folder_and_what_players_open_last(
    outcome: Outcome, tmp_path: Path
) -> None:
    w = memory_world()
    opened = ["hls/master.m3u8", "hls/manifest.mpd", "poster.jpg"]
    names = [*opened, "hls/v0.m3u8", "hls/v0/init.mp4", "hls/v0/00000.m4s"]
    for name in [*names, "hls/v0/00001.m4s", "other/film.mp4"]:
        w.store.put("media", CLEAN + name, name.encode())
    cargo = _Cargo(w)
    at = reach.Stack(
        name="mayfly", where="memory", world=w.world, queues={}, cargo=cargo,
        census=None, history=None,  # type: ignore[arg-type]  # nobody asks them
    )  # fmt: skip
    files = laptop.fetch(at, outcome, tmp_path)
    assert files == [tmp_path / name for name in opened]
    wanted = {*names, "hls/v0/00001.m4s"}
    there = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert there == wanted
    assert all((tmp_path / name).read_bytes() == name.encode() for name in wanted)
    assert cargo.taken[-3:] == [CLEAN + name for name in opened]
    assert len(set(cargo.taken)) == len(cargo.taken) == len(wanted)
