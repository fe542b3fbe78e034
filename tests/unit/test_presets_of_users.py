"""A preset in the bucket is used like one of ours, by the next upload, and never half."""

import json
from typing import Any

import msgspec
import pytest

from mayfly.contract import presets
from mayfly.contract.request import Request
from mayfly.contract.settings import FunctionSettings
from mayfly.core import limits
from mayfly.core.identity import SourceObject, job_id
from mayfly.core.rows import OPEN_JOBS, JobHead, JobSpec, JobState, from_item, head_key, spec_key
from mayfly.memory.faults import Faults
from mayfly.memory.world import SETTINGS, MemoryWorld, memory_world
from mayfly.perform import intake, presets_of_users
from mayfly.perform.ports import Temporary

CLIP = {"why": "Mine.", "recipe": {"outputs": [{"kind": "poster", "file": "mine.jpg"}]}}
SOUND = {"why": "Heard.", "recipe": {"outputs": [{"kind": "audio", "file": "mine.mp3"}]}}


def keep(w: MemoryWorld, name: str, preset: object) -> None:
    body = preset if isinstance(preset, bytes) else json.dumps(preset).encode()
    w.store.put("media", f"presets/{name}.json", body)


def upload(w: MemoryWorld, key: str, body: bytes = b"video") -> SourceObject:
    stored = w.store.put("media", key, body)
    return SourceObject(bucket="media", key=key, etag=stored.etag, size_bytes=len(body))


def jobs(w: MemoryWorld) -> list[JobHead]:
    heads = [from_item(JobHead, row) for row in w.table.index(OPEN_JOBS, limit=100)]
    return sorted(heads, key=lambda head: head.accepted_at)


def files(w: MemoryWorld, ident: str) -> list[str]:
    (item,) = w.table.get(spec_key(ident))
    assert item is not None
    recipe = json.loads(from_item(JobSpec, item).recipe)
    return [output["file"] for output in recipe["outputs"]]


class Asked(Faults):
    """What is read of the store."""

    def __init__(self) -> None:
        self.reads = 0
        self.refuse = False

    def before(self, action: str) -> None:
        self.reads += action == "store.read"
        if self.refuse and action == "store.read":
            raise Temporary("S3 is busy.")


def test_an_upload_into_a_presets_folder_is_done_by_it(w: MemoryWorld) -> None:
    keep(w, "mine", CLIP)
    intake.take_upload(w.world, upload(w, "uploads/mine/deep/er/x.mp4"))
    (head,) = jobs(w)
    assert (head.preset, files(w, head.job_id)) == ("mine", ["mine.jpg"])


def test_a_request_may_name_it_too(w: MemoryWorld) -> None:
    keep(w, "mine", CLIP)
    source = upload(w, "uploads/x.mp4")
    ident, _ = intake.take_request(w.world, Request(source=source.address, preset="mine"), b"{}")
    assert files(w, ident) == ["mine.jpg"]


def test_a_changed_preset_is_used_by_the_next_upload_and_changes_no_job(w: MemoryWorld) -> None:
    keep(w, "mine", CLIP)
    before = upload(w, "uploads/mine/x.mp4")
    intake.take_upload(w.world, before)
    (first,) = jobs(w)
    keep(w, "mine", SOUND)
    w.clock.sleep(1)
    intake.take_upload(w.world, upload(w, "uploads/mine/y.mp4"))
    _, second = jobs(w)
    assert (files(w, first.job_id), files(w, second.job_id)) == (["mine.jpg"], ["mine.mp3"])


@pytest.mark.parametrize(
    ("key", "preset"),
    [
        ("uploads/poster/x.mp4", "poster"),
        ("uploads/x.mp4", "mp4-720p"),
        ("uploads/holiday/x.mp4", "mp4-720p"),
        ("uploads/poster", "mp4-720p"),
        ("uploads/my holiday/x.mp4", "mp4-720p"),
        ("uploads/poster/deep/er/x.mp4", "poster"),
        ("uploads/deep/mine/x.mp4", "mp4-720p"),
    ],
)
def test_the_first_folder_names_the_preset(w: MemoryWorld, key: str, preset: str) -> None:
    keep(w, "mine", CLIP)
    intake.take_upload(w.world, upload(w, key))
    (head,) = jobs(w)
    assert head.preset == preset


def test_a_name_of_ours_means_the_same_in_every_stack(w: MemoryWorld) -> None:
    keep(w, "mp4-720p", CLIP)
    intake.take_upload(w.world, upload(w, "uploads/mp4-720p/x.mp4"))
    intake.take_upload(w.world, upload(w, "uploads/y.mp4"))
    assert [files(w, head.job_id) for head in jobs(w)] == [["video.mp4"]] * 2


def test_ours_cost_no_look_into_the_bucket_and_others_one() -> None:
    asked = Asked()
    w = memory_world(faults=asked)
    intake.take_upload(w.world, upload(w, "uploads/poster/x.mp4"))
    intake.take_upload(w.world, upload(w, "uploads/x.mp4"))
    intake.take_upload(w.world, upload(w, "uploads/not a name/x.mp4"))
    assert asked.reads == 0
    intake.take_upload(w.world, upload(w, "uploads/holiday/x.mp4"))
    assert asked.reads == 1


def test_a_bucket_that_does_not_answer_now_is_asked_again_and_nothing_is_guessed() -> None:
    asked = Asked()
    w = memory_world(faults=asked)
    source = upload(w, "uploads/mine/x.mp4")
    asked.refuse = True
    with pytest.raises(Temporary):
        intake.take_upload(w.world, source)
    with pytest.raises(Temporary):
        intake.take_request(w.world, Request(source=source.address, preset="mine"), b"{}")
    assert jobs(w) == []


BROKEN: list[tuple[object, str]] = [
    (b"{", "the message: got 1 bytes that are not JSON"),
    (b"", "the message: got nothing"),
    (b"\xff" * 9, "the message: got 9 bytes that are not JSON"),
    (b"[" * 9_000, "the message: got"),
    (b" " * (limits.PRESET_BYTES_MAX + 1), "got more, but it must be a preset of 65536 bytes"),
    ({"recipe": CLIP["recipe"]}, "why: got nothing"),
    ({**CLIP, "note": 1}, "note: got an unknown field"),
    (
        {"why": "", "recipe": {"outputs": [{"kind": "poster", "quality": 900}]}},
        "recipe.outputs[0].quality: got 900, but it must be a whole number from 2 to 31.",
    ),
    (
        {"why": "", "recipe": {"outputs": [{"kind": "video", "codec": "h264", "crf": 60}]}},
        "recipe.outputs[0]: h264 takes a crf from 0 to 51.",
    ),
    (
        {"why": "", "recipe": {"outputs": [{"kind": "poster"}] * 2}},
        "recipe.outputs: got two files named poster.jpg",
    ),
]


@pytest.mark.parametrize(("preset", "says"), BROKEN)
def test_a_broken_preset_refuses_what_names_it_with_the_field_and_a_sentence(
    w: MemoryWorld, preset: object, says: str
) -> None:
    keep(w, "mine", preset)
    source = upload(w, "uploads/mine/x.mp4")
    intake.take_upload(w.world, source)
    intake.take_request(w.world, Request(source=source.address, preset="mine"), b"{}")
    for head in jobs(w):
        assert head.state is JobState.FAILED and head.failure is not None
        assert (head.failure.code, head.preset) == ("request_refused", "mine")
        assert head.failure.sentence.startswith("The request was refused: presets/mine.json: ")
        assert says in head.failure.sentence
    assert len(jobs(w)) == 2


def test_an_upload_is_refused_once_for_one_reason_and_taken_when_it_is_mended(
    w: MemoryWorld,
) -> None:
    source = upload(w, "uploads/mine/x.mp4")
    for broken in ({"why": 1}, {"why": 1}, {"why": ""}):
        keep(w, "mine", broken)
        intake.take_upload(w.world, source)
        intake.take_upload(w.world, msgspec.structs.replace(source, sequencer="0B"))
    assert [head.state for head in jobs(w)] == [JobState.FAILED] * 2
    keep(w, "mine", CLIP)
    intake.take_upload(w.world, source)
    recipe = presets_of_users.recipe(w.world, "mine")
    assert recipe is not None
    (head,) = w.table.get(head_key(job_id("default", source, recipe, 1)))
    assert head is not None and from_item(JobHead, head).state is JobState.QUEUED


def test_an_unknown_name_is_refused_with_those_that_are_known(w: MemoryWorld) -> None:
    source = upload(w, "uploads/x.mp4")
    intake.take_request(w.world, Request(source=source.address, preset="mp5"), b"{}")
    (head,) = jobs(w)
    assert head.failure is not None
    assert 'preset: got "mp5", but it must be one of: archive-lossless' in head.failure.sentence


def test_a_stacks_default_may_be_a_users() -> None:
    w = memory_world(settings(default_preset="mine"))
    source = upload(w, "uploads/x.mp4")
    intake.take_upload(w.world, source)
    keep(w, "mine", CLIP)
    intake.take_upload(w.world, source)
    states = {head.state: head for head in jobs(w)}
    refused, opened = states[JobState.FAILED], states[JobState.QUEUED]
    assert refused.failure is not None and '"mine"' in refused.failure.sentence
    assert (opened.preset, files(w, opened.job_id)) == ("mine", ["mine.jpg"])


def settings(**fields: Any) -> FunctionSettings:
    return msgspec.structs.replace(SETTINGS, **fields)


@pytest.mark.parametrize("name", ["", ".", "..", "../uploads/x", "a/b", "a\n", "ü", "a" * 65])
def test_what_is_no_name_is_never_asked_for(name: str) -> None:
    asked = Asked()
    w = memory_world(faults=asked)
    assert presets_of_users.find(w.world, name) is None
    assert asked.reads == 0
    assert name not in presets.all_presets()
