"""What a worker is given: URLs for its own keys alone, and the list of what a finish joins."""

import dataclasses
from typing import Any

import msgspec
import pytest

from mayfly.contract import wire
from mayfly.contract.recipe import Recipe, VideoOutput, Watermark
from mayfly.contract.report import Artifact, Media
from mayfly.contract.task import Control, Fetch, Grants, PostForm, Source, Task, read_inputs
from mayfly.core import limits
from mayfly.core.changes import Create
from mayfly.core.identity import SourceObject
from mayfly.core.rows import JobSpec, TaskRow, TaskState, spec_key, task_key, to_item
from mayfly.memory.world import MemoryWorld
from mayfly.perform import control, joining, signing
from mayfly.perform.world import World
from tests.unit.given import PLAN, RECIPE, a_task

END = 5000.0
SOURCE = SourceObject(bucket="theirs", key="uploads/x", etag="e1", size_bytes=9, version_id="v1")
SPEC = JobSpec(recipe=msgspec.json.encode(RECIPE).decode(), source=SOURCE, clock=PLAN.clock)
FORM = PostForm(url="https://post", fields={}, key_prefix="work/job1/encode/", size_bytes_max=7)
#: The same, of a task whose outputs are published.
LARGE = msgspec.structs.replace(FORM, output_bytes_max=limits.OUTPUT_BYTES_MAX)


class PlainSigner:
    """Says in the URL what it was asked for, and in which order."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def grants_end_at(self) -> float:
        self.asked.append("end")
        return END

    def get(self, bucket: str, key: str, *, etag: str = "", version_id: str = "") -> Fetch:
        self.asked.append(key)
        return Fetch(url=f"https://{bucket}/{key}?{etag}&{version_id}")

    def post(self, bucket: str, key_prefix: str, size_bytes_max: int) -> PostForm:
        self.asked.append((bucket, key_prefix, size_bytes_max))
        return FORM


@pytest.fixture
def signer() -> PlainSigner:
    return PlainSigner()


@pytest.fixture
def world(w: MemoryWorld, signer: PlainSigner) -> World:
    return dataclasses.replace(w.world, signer=signer)


def grants(**fields: Any) -> Grants:
    given: dict[str, Any] = {
        "source": Fetch(url="https://theirs/uploads/x?e1&v1"),
        "upload": LARGE,
        "control": Fetch(url="https://media/work/job1/encode/control.json?&"),
        "grants_end_at": END,
    }
    return Grants(**(given | fields))


def test_a_task_gets_its_source_pinned_its_own_prefix_and_its_control_object(
    world: World, signer: PlainSigner
) -> None:
    assert signing.grants(world, a_task(), SPEC) == grants()
    assert ("media", "work/job1/encode/", limits.POST_BYTES_MAX) in signer.asked


@pytest.mark.parametrize(
    ("kind", "names"),
    [("encode", ["logo.png"]), ("chunk", ["logo.png"]), ("audio", [])],
)  # fmt: skip
def test_who_draws_an_image_may_read_that_one(
    kind: Any, names: list[str], world: World, signer: PlainSigner
) -> None:
    marked = Recipe(outputs=(VideoOutput(watermark=Watermark(image="logo.png")),))
    spec = msgspec.structs.replace(SPEC, recipe=msgspec.json.encode(marked).decode())
    task = a_task(kind=kind, number=0)
    given = {name: Fetch(url=f"https://media/assets/{name}?&") for name in names}
    assert signing.grants(world, task, spec).assets == given
    assert signing.task_message(world, task, spec).assets == given
    assert any(str(key).startswith("assets/") for key in signer.asked) is bool(names)


def test_a_message_says_all_that_a_worker_needs(world: World) -> None:
    expected = Task(
        source=Source(fetch=Fetch(url="https://theirs/uploads/x?e1&v1"), size_bytes=9, etag="e1"),
        recipe=RECIPE,
        upload=LARGE,
        job_id="job1",
        task_id="encode",
        token="token1",
        control=grants().control,
        grants_end_at=END,
        plan_clock=PLAN.clock,
    )
    assert signing.task_message(world, a_task(), SPEC) == expected
    chunk = a_task(kind="chunk", number=2, scope=PLAN.scope(2))
    told = signing.task_message(world, chunk, SPEC)
    assert (told.kind, told.scope, told.track) == ("chunk", PLAN.scope(2), None)
    assert told.upload == FORM, "what is joined by a worker is one object"
    sound = signing.task_message(world, a_task(kind="audio", number=3), SPEC)
    assert (sound.kind, sound.track) == ("audio", 3)


def artifact(name: str) -> Artifact:
    return Artifact(
        file=f"{name}.mp4",
        key=f"work/job1/{name}/n/{name}.mp4",
        size_bytes=len(name),
        sha256=name * 2,
        media=Media(container="mov"),
    )


def part(kind: Any, number: int, *files: str) -> TaskRow:
    return a_task(
        TaskState.DONE,
        task_id=f"{kind}-{number}",
        kind=kind,
        number=number,
        artifacts=tuple(map(artifact, files)),
    )


def test_a_finish_gets_the_list_of_what_it_joins_in_order_and_its_end_is_asked_for_first(
    w: MemoryWorld, world: World, signer: PlainSigner
) -> None:
    rows = [
        part("audio", 0, "s"),
        part("chunk", 10, "c10"),
        part("chunk", 2, "c2a", "c2b"),
        part("encode", 0, "e"),
    ]
    finish = a_task(task_id="finish", kind="finish")
    for row in (*rows, finish):
        w.table.commit([Create(key=task_key("job1", row.task_id), item=to_item(row))])
    made = signing.grants(world, finish, SPEC)
    assert made.inputs == Fetch(url="https://media/work/job1/finish/inputs.json.gz?&")
    assert signer.asked[0] == "end"
    found = w.store.get("media", "work/job1/finish/inputs.json.gz")
    assert found is not None and found.content_type == "application/gzip"
    listed = [
        (one.kind, one.number, one.file, one.fetch.url, one.size_bytes, one.sha256)
        for one in read_inputs(found.body).parts
    ]
    names = [("chunk", 2, "c2a"), ("chunk", 2, "c2b"), ("chunk", 10, "c10"), ("audio", 0, "s")]
    assert listed == [
        (
            *(kind, number, f"{name}.mp4"),
            f"https://media/work/job1/{name}/n/{name}.mp4?&",
            *(len(name), name * 2),
        )
        for kind, number, name in names
    ]


def test_other_kinds_get_no_list(
    w: MemoryWorld, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def written(*given: Any) -> Fetch:
        raise AssertionError("nobody joins anything yet")

    monkeypatch.setattr(joining, "write_inputs", written)
    assert signing.grants(world, a_task(kind="chunk"), SPEC).inputs is None
    assert signing.task_message(world, a_task(), SPEC).inputs is None


def written(w: MemoryWorld) -> tuple[str, Control] | None:
    found = w.store.get("media", "work/job1/encode/control.json")
    return (found.content_type, wire.decode(Control, found.body)) if found else None


def test_new_grants_lie_in_the_control_object(w: MemoryWorld, world: World) -> None:
    control.renew_grants(world, "job1", "encode")
    assert written(w) is None
    w.table.commit([Create(key=task_key("job1", "encode"), item=to_item(a_task()))])
    control.renew_grants(world, "job1", "encode")
    assert written(w) is None
    w.table.commit([Create(key=spec_key("job1"), item=to_item(SPEC))])
    control.renew_grants(world, "job1", "encode")
    assert written(w) == ("application/json", Control(grants=grants()))


def test_a_users_own_task_has_no_source_of_ours(world: World) -> None:
    own = JobSpec(recipe=SPEC.recipe)
    with pytest.raises(AssertionError, match=r"^an adopted task brings its own URLs$"):
        signing.grants(world, a_task(), own)
    with pytest.raises(AssertionError):
        signing.task_message(world, a_task(), own)


def test_a_users_own_urls_are_not_renewed(w: MemoryWorld, world: World) -> None:
    own = JobSpec(recipe=SPEC.recipe)
    for key, row in ((task_key("job1", "encode"), a_task()), (spec_key("job1"), own)):
        w.table.commit([Create(key=key, item=to_item(row))])
    control.renew_grants(world, "job1", "encode")
    assert written(w) is None


@pytest.mark.parametrize("state", [TaskState.RELEASED, TaskState.RUNNING])
def test_whoever_may_be_at_work_is_stopped_with_the_reason(
    w: MemoryWorld, world: World, state: TaskState
) -> None:
    w.table.commit([Create(key=task_key("job1", "encode"), item=to_item(a_task(state)))])
    assert control.stop_workers(world, "job1", "cancelled") == []
    assert written(w) == ("application/json", Control(order="stop", reason="cancelled"))


def test_tasks_that_are_in_an_index_are_answered_with(w: MemoryWorld, world: World) -> None:
    waits = a_task(TaskState.OPEN)
    item = {**to_item(waits), "gpk": "tasks#standard#open#default", "gsk": "1"}
    w.table.commit([Create(key=task_key("job1", "encode"), item=item)])
    assert control.stop_workers(world, "job1", "cancelled") == [waits]
    assert written(w) is None
