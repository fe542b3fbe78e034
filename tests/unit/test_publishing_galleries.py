"""How storyboards and thumbnails get to their clean names: what stands for all of them last, and
nothing from outside of their own folder.
"""

from typing import Any

import msgspec
import pytest

from mayfly.contract.recipe import (
    Box,
    GalleryOutput,
    Recipe,
    StoryboardOutput,
    ThumbnailsOutput,
)
from mayfly.contract.report import Artifact, Media
from mayfly.core import galleries, limits
from mayfly.core.changes import Create, Key
from mayfly.core.events import OutputsPublished, PublishFailed
from mayfly.core.identity import SourceObject
from mayfly.core.rows import JobSpec, JobState, TaskState, head_key, spec_key, task_key, to_item
from mayfly.memory.store import MemoryStore
from mayfly.memory.world import MemoryWorld
from mayfly.perform import publishing
from tests.unit.given import a_job, a_task

BOARD, THUMBS = StoryboardOutput(), ThumbnailsOutput(file="pictures")
UPLOAD = SourceObject(bucket="media", key="uploads/x.mp4", etag="e1", size_bytes=9, sequencer="05")
HERE, CLEAN = "work/job1/encode/n1/", "outputs/x/mp4-720p/job1/"


def artifact(output: GalleryOutput, files: int) -> Artifact:
    file = galleries.delivered(output)
    return Artifact(
        file=file, key=f"{HERE}{file}", size_bytes=5, sha256="0",
        media=Media(container="jpeg"), files=files,
    )  # fmt: skip


def stands(w: MemoryWorld, *artifacts: Artifact) -> None:
    spec = JobSpec(
        recipe=msgspec.json.encode(Recipe(outputs=(BOARD, THUMBS))).decode(), source=UPLOAD
    )
    rows: dict[Key, Any] = {
        head_key("job1"): a_job(JobState.PUBLISHING),
        spec_key("job1"): spec,
        task_key("job1", "encode"): a_task(TaskState.DONE, artifacts=artifacts),
    }
    w.table.commit([Create(key=key, item=to_item(row)) for key, row in rows.items()])
    for output, files in ((BOARD, 3), (THUMBS, 4)):
        for name in galleries.names(output, files):
            w.store.put("media", f"{HERE}{name}", name.encode())


BOTH = (artifact(BOARD, 3), artifact(THUMBS, 4))
FILES = [
    "storyboard/sheet-001.jpg",
    "storyboard/sheet-002.jpg",
    "storyboard/storyboard.vtt",
    "pictures/00002.jpg",
    "pictures/00003.jpg",
    "pictures/00004.jpg",
    "pictures/00001.jpg",
]


def test_all_files_are_published_and_what_stands_for_them_last(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied, real = list[str](), MemoryStore.copy

    def copy(self: MemoryStore, bucket: str, source_key: str, key: str) -> None:
        real(self, bucket, source_key, key)
        copied.append(key.removeprefix(CLEAN))

    monkeypatch.setattr(MemoryStore, "copy", copy)
    stands(w, *BOTH)
    assert publishing.publish(w.world, "job1") == OutputsPublished(at=w.clock.now())
    assert copied == FILES
    for name in FILES:
        found = w.store.get("media", f"{CLEAN}{name}")
        assert found is not None and found.body == name.encode()


def test_whoever_comes_after_a_crash_goes_on_where_it_was(w: MemoryWorld) -> None:
    stands(w, *BOTH)
    publishing.publish(w.world, "job1")
    for name in FILES:
        w.store.remove("media", f"{HERE}{name}")
    assert isinstance(publishing.publish(w.world, "job1"), OutputsPublished)


def test_a_picture_that_is_not_there_keeps_what_names_it_back(w: MemoryWorld) -> None:
    stands(w, *BOTH)
    w.store.remove("media", f"{HERE}storyboard/sheet-002.jpg")
    said = publishing.publish(w.world, "job1")
    assert isinstance(said, PublishFailed) and said.failure.code == "publish_failed"
    assert w.store.get("media", f"{CLEAN}storyboard/storyboard.vtt") is None


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"files": 1}, "storyboard is told to have 1 files"),
        ({"files": limits.PICTURES_MAX + 2}, "storyboard is told to have 10002 files"),
        ({"key": f"{HERE}other/storyboard.vtt"}, "storyboard is not where its files are"),
        ({"file": "storyboard"}, "promised pictures/00001.jpg, storyboard/storyboard.vtt"),
    ],
)
def test_what_leads_elsewhere_is_not_published(
    w: MemoryWorld, changed: dict[str, Any], problem: str
) -> None:
    stands(w, msgspec.structs.replace(BOTH[0], **changed), BOTH[1])
    said = publishing.publish(w.world, "job1")
    assert isinstance(said, PublishFailed) and said.failure.code == "output_broken"
    assert problem in said.failure.sentence


def test_a_sheet_no_telephone_shows_is_refused() -> None:
    with pytest.raises(ValueError, match="up to 9600 wide or high, where telephones show 8192"):
        StoryboardOutput(box=Box(width=320, height=480), columns=20, rows=5)
