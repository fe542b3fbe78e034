"""Photographs that somebody uploads are one job, once somebody says that they are all there."""

import msgspec
import pytest

from mayfly.contract import wire
from mayfly.contract.photographs import PHOTOGRAPHS_MAX, read_photographs
from mayfly.contract.recipe import Recipe, Timelapse, VideoOutput
from mayfly.contract.task import Control
from mayfly.core import limits, naming
from mayfly.core import limits_of_photographs as bounds
from mayfly.memory.world import MemoryWorld
from mayfly.perform import control, photographs, rerunning
from tests.unit.acting import (
    a_round,
    dispatch,
    encoded,
    heads,
    outcomes,
    receive,
    report,
    tick,
    upload,
)

TRIP = "uploads/timelapse/trip/"
SOURCE = f"s3://media/{TRIP}"


def take(w: MemoryWorld, *names: str, prefix: str = TRIP) -> list[str]:
    """Puts photographs into the bucket; S3's notifications of them."""
    return [upload(w, f"{prefix}{name}", name.encode()) for name in names]


def ask(w: MemoryWorld, **fields: object) -> str:
    """A request for them, and what became of it: a job's state, or why it was refused."""
    dispatch(w, wire.encode({"preset": "timelapse", **fields}).decode())
    head = heads(w)[-1]
    return head.failure.sentence if head.failure else str(head.state)


def roll_of(w: MemoryWorld) -> list[str]:
    """What the worker of the one job is given, by name."""
    task, _ = receive(w)
    assert task.inputs is not None and task.source.fetch == task.inputs
    key = task.inputs.url.partition("?")[0].partition("/media/")[2]
    body = w.store.read("media", key or naming.photographs_key(task.job_id or "", "encode"))
    assert body is not None
    listed = read_photographs(body[0])
    assert all("if-match" in one.fetch.headers for one in listed.photographs)
    return [one.name for one in listed.photographs]


def test_a_photograph_that_is_uploaded_starts_nothing(w: MemoryWorld) -> None:
    dispatch(w, *take(w, "IMG_1.JPG", "b.webp", "c.heic"))
    tick(w)
    a_round(w)
    assert heads(w) == [] and outcomes(w) == []


def test_the_word_that_all_are_there_starts_one_job(w: MemoryWorld) -> None:
    dispatch(w, *take(w, "a.jpg", "b.jpg", "sub/c.png", "notes.txt", ""))
    dispatch(w, upload(w, f"{TRIP}{naming.READY}", b""))
    (head,) = [head for head in heads(w) if head.preset == "timelapse" and not head.failure]
    assert (head.source, head.preset, head.pool) == (SOURCE, "timelapse", "standard")
    assert roll_of(w) == ["a.jpg", "b.jpg", "sub/c.png"]


def test_a_lost_word_is_found_by_the_round(w: MemoryWorld) -> None:
    tick(w)
    take(w, "a.jpg", "b.jpg")
    upload(w, f"{TRIP}{naming.READY}", b"")
    a_round(w)
    assert [head.source for head in heads(w)] == [SOURCE]
    a_round(w)
    assert len(heads(w)) == 1


def test_the_same_photographs_are_the_same_job_and_one_more_is_another(w: MemoryWorld) -> None:
    take(w, "a.jpg", "b.jpg")
    for _ in range(2):
        assert ask(w, source=SOURCE) == "queued"
    upload(w, f"{TRIP}notes.txt", b"sunny")
    assert ask(w, source=SOURCE) == "queued"
    assert len(heads(w)) == 1
    take(w, "c.jpg")
    ask(w, source=SOURCE)
    assert len(heads(w)) == 2


def test_a_list_is_taken_in_its_order(w: MemoryWorld) -> None:
    take(w, "a.jpg", "b.jpg", "x.jpg", prefix="uploads/one/")
    take(w, "c.jpg", prefix="uploads/two/")
    keys = ["uploads/one/b.jpg", "uploads/two/c.jpg", "uploads/one/a.jpg"]
    assert ask(w, sources=[f"s3://media/{key}" for key in keys]) == "queued"
    assert heads(w)[0].source == "s3://media/uploads/"
    assert roll_of(w) == ["one/b.jpg", "two/c.jpg", "one/a.jpg"]


def test_a_folder_in_another_order_is_another_job(w: MemoryWorld) -> None:
    take(w, "a.jpg", "b.jpg")
    ask(w, source=SOURCE)
    ask(w, sources=[f"{SOURCE}b.jpg", f"{SOURCE}a.jpg"])
    ask(w, sources=[f"{SOURCE}a.jpg", f"{SOURCE}b.jpg"])
    assert len({head.job_id for head in heads(w)}) == 3


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"source": SOURCE, "preset": "mp4-720p"}, "photographs and no timelapse"),
        ({"source": f"{SOURCE}film.mp4"}, "one object, and a recipe with timelapse"),
        ({"source": f"{SOURCE}a.jpg"}, "one object, and a recipe with timelapse"),
        ({"source": "s3://media/uploads/"}, "a folder under uploads/"),
        ({"source": "s3://media/uploads/none/"}, "with nothing in it"),
        ({"source": "s3://media/uploads/heic/"}, "heic/b.HEIC, but it must be JPEG, PNG"),
        ({"source": "s3://media/outputs/trip/"}, "a key under uploads/"),
        ({"source": "s3://other/uploads/trip/"}, "in the bucket media"),
        ({"sources": [f"{SOURCE}a.jpg", f"{SOURCE}z.jpg"]}, "z.jpg, which is not there"),
        ({"sources": [f"{SOURCE}a.jpg", f"{SOURCE}a.jpg"]}, "a.jpg twice"),
        ({"sources": [f"{SOURCE}a.jpg", f"{SOURCE}film.mp4"]}, "must be photographs"),
        ({"sources": ["s3://other/uploads/a.jpg"]}, "sources: got the bucket other"),
    ],
)
def test_what_cannot_become_a_film_is_refused_with_a_sentence(
    w: MemoryWorld, fields: dict[str, object], sentence: str
) -> None:
    take(w, "a.jpg", "b.jpg", "film.mp4")
    take(w, "a.jpg", "b.HEIC", prefix="uploads/heic/")
    assert sentence in ask(w, **fields)
    assert w.jobs.depth().visible == 0


def test_a_video_in_the_folder_of_a_preset_for_photographs_is_refused(w: MemoryWorld) -> None:
    dispatch(w, upload(w, f"{TRIP}film.mp4"))
    (outcome,) = outcomes(w)
    assert outcome.failure is not None and "a recipe with timelapse" in outcome.failure.sentence


def test_a_ready_folder_of_a_preset_for_videos_is_refused(w: MemoryWorld) -> None:
    take(w, "a.jpg", prefix="uploads/mp4-720p/trip/")
    dispatch(w, upload(w, f"uploads/mp4-720p/trip/{naming.READY}", b""))
    (outcome,) = outcomes(w)
    assert outcome.failure is not None and "no timelapse" in outcome.failure.sentence


def test_more_photographs_than_make_one_film_are_refused_before_a_machine_starts(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photographs, "PHOTOGRAPHS_MAX", 3)
    take(w, *(f"{number}.jpg" for number in range(4)))
    assert "4 photographs, but it must be at most 3" in ask(w, source=SOURCE)


def test_a_folder_with_much_beside_the_photographs_is_refused_after_so_many_calls(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photographs, "_PAGE_KEYS", 5)
    monkeypatch.setattr(bounds, "LISTED_MAX", 10)
    take(w, *(f"{number:02d}.txt" for number in range(20)), "zz.jpg")
    assert "10 objects and more" in ask(w, source=SOURCE)
    sources = [f"{SOURCE}{number:02d}.jpg" for number in (0, 30)]
    take(w, "00.jpg", "30.jpg")
    assert "among more than" in ask(w, sources=sources)


def test_a_photograph_of_absurd_size_is_refused(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "PHOTOGRAPH_BYTES_MAX", 8)
    take(w, "long name.jpg")
    assert "of at most 8" in ask(w, source=SOURCE)


def test_a_length_that_so_few_cannot_have_is_refused_with_those_that_would_do(
    w: MemoryWorld,
) -> None:
    take(w, *(f"{number}.jpg" for number in range(120)))
    recipe = Recipe(outputs=(VideoOutput(audio=None),), timelapse=Timelapse(seconds=1))
    said = ask(w, source=SOURCE, preset=None, recipe=msgspec.to_builtins(recipe))
    assert "got 1 for 120 photographs, but it must be from 2 to 120" in said


def test_the_film_is_published_under_the_folders_name_and_the_newest_is_named(
    w: MemoryWorld,
) -> None:
    take(w, "a.jpg", prefix="uploads/timelapse/may 1.5/")
    w.store.write(
        "media",
        naming.preset_key("mine"),
        b'{"why": "w", "recipe": {"timelapse": {}, "outputs": [{"kind": "video"}]}}',
        content_type="application/json",
    )
    take(w, "a.jpg", prefix="uploads/mine/may 1.5/")
    dispatch(w, upload(w, f"uploads/mine/may 1.5/{naming.READY}", b""))
    task, _ = receive(w)
    report(w, encoded(w, task))
    (outcome,) = outcomes(w)
    assert outcome.state == "succeeded", outcome.failure
    assert outcome.outputs[0].key == f"outputs/may 1.5/mine/{task.job_id}/video.mp4"
    assert w.store.head("media", "outputs/may 1.5/mine/latest.json") is not None


def test_renewed_grants_hold_every_photograph_anew(w: MemoryWorld) -> None:
    take(w, "a.jpg", "b.jpg")
    ask(w, source=SOURCE)
    task, _ = receive(w)
    assert task.job_id is not None and task.task_id is not None and task.inputs is not None
    w.clock.sleep(limits.GRANT_SECONDS - limits.RENEW_SECONDS)
    control.renew_grants(w.world, task.job_id, task.task_id)
    found = w.store.read("media", naming.control_key(task.job_id, task.task_id))
    assert found is not None
    grants = wire.decode(Control, found[0]).grants
    assert grants is not None and grants.inputs is not None
    assert grants.inputs.url != task.inputs.url


def test_a_set_whose_list_is_gone_is_not_run_again(w: MemoryWorld) -> None:
    take(w, "a.jpg")
    found = photographs.in_folder(w.world, TRIP)
    photographs.keep(w.world, found)
    assert photographs.is_kept(w.world, found.source)
    ask(w, source=SOURCE)
    task, _ = receive(w)
    assert task.job_id is not None
    del w.store._versions["media", naming.roll_key(found.source.etag)]
    why = rerunning._why_not_here(w.world, found.source, "standard")
    assert "not kept any more" in why


def test_a_list_of_the_most_photographs_fits_into_a_message() -> None:
    sources = [f"s3://media/uploads/timelapse/trip/IMG_{number:05d}.jpg" for number in range(5000)]
    assert len(sources) == PHOTOGRAPHS_MAX
    assert len(wire.encode({"sources": sources})) < 2**20 / 2
