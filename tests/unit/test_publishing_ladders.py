"""How a ladder gets to its clean names: segments first, what names them last, and nothing that its
workers have not stored themselves.
"""

from typing import Any

import msgspec
import pytest

from mayfly.contract.ladder import SEGMENTS_MAX, Layer, Ready, Run
from mayfly.contract.outcome import Outcome
from mayfly.contract.recipe import Box, LadderOutput, PosterOutput, Recipe, Rung
from mayfly.contract.report import Artifact, Media
from mayfly.core import ladders
from mayfly.core.changes import Create, Key, Put
from mayfly.core.events import OutputsPublished, PublishFailed
from mayfly.core.identity import SourceObject
from mayfly.core.rows import JobSpec, JobState, TaskState, head_key, spec_key, task_key, to_item
from mayfly.memory.store import MemoryStore
from mayfly.memory.world import MemoryWorld
from mayfly.perform import announcing, publishing
from mayfly.perform.ports import Temporary
from tests.unit.given import a_job, a_task

LADDER = LadderOutput(rungs=(Rung(box=Box(width=640, height=360)),))
UPLOAD = SourceObject(bucket="media", key="uploads/x.mp4", etag="e1", size_bytes=9, sequencer="05")
FINISH = "work/job1/finish/n9/"
FIRST, SECOND, SOUND = (
    f"work/job1/{task}/" for task in ("encode/n1", "chunk-00001/n2", "audio-0/n3")
)
READY = Ready(
    folder="hls",
    playlists=FINISH,
    layers=(
        Layer(tracks=("v0", "v1"), runs=(Run(FIRST, 0, 2), Run(SECOND, 2, 3))),
        Layer(tracks=("a0",), runs=(Run(SOUND, 0, 3),)),
    ),
)
CLEAN = "outputs/x/mp4-720p/job1/"


def artifact(file: str, key: str = "", **more: Any) -> Artifact:
    media = Media(container="hls" if "m3u8" in file else "list")
    return Artifact(
        file=file, key=key or f"{FINISH}{file}", size_bytes=5, sha256="0", media=media, **more
    )


ARTIFACTS = (
    artifact("hls/master.m3u8", files=13),
    artifact(ladders.PUBLISHED),
    artifact("poster.jpg"),
)


def stored() -> dict[str, bytes]:
    """Everything that attempts have put into the work folder."""
    keys = [f"{FIRST}hls/v{track}/init.mp4" for track in (0, 1)] + [f"{SOUND}hls/a0/init.mp4"]
    for track in ("v0", "v1"):
        keys += [f"{FIRST}hls/{track}/{number:05d}.m4s" for number in (0, 1)]
        keys += [f"{SECOND}hls/{track}/00002.m4s"]
    keys += [f"{SOUND}hls/a0/{number:05d}.m4s" for number in range(3)]
    keys += [f"{FINISH}hls/{name}.m3u8" for name in ("v0", "v1", "a0", "master")]
    return {key: key.encode() for key in [*keys, f"{FINISH}poster.jpg"]}


def listing(ready: Ready) -> dict[str, bytes]:
    """What a ladder has beside what `stored` has."""
    names = [ladders.MANIFEST] if "dash" in ready.manifests else []
    names += [ladders.iframes(track) for track in ("v0", "v1") if ready.iframes]
    return {f"{FINISH}hls/{name}": name.encode() for name in names}


def stands(
    w: MemoryWorld,
    ready: Ready | bytes | None = READY,
    artifacts: tuple[Artifact, ...] = ARTIFACTS,
    ladder: LadderOutput = LADDER,
) -> None:
    recipe = Recipe(outputs=(ladder, PosterOutput()))
    spec = JobSpec(recipe=msgspec.json.encode(recipe).decode(), source=UPLOAD, uploaded=True)
    rows: dict[Key, Any] = {
        head_key("job1"): a_job(JobState.PUBLISHING),
        spec_key("job1"): spec,
        task_key("job1", "encode"): a_task(TaskState.DONE, artifacts=artifacts),
    }
    w.table.commit([Create(key=key, item=to_item(row)) for key, row in rows.items()])
    content = stored()
    if ready is not None:
        body = ready if isinstance(ready, bytes) else msgspec.json.encode(ready)
        content[f"{FINISH}{ladders.PUBLISHED}"] = body
        if isinstance(ready, Ready):
            content |= listing(ready)
    for key, body in content.items():
        w.store.put("media", key, body)


def order(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is copied, in order, by its clean name."""
    copied, real = list[str](), MemoryStore.copy

    def copy(self: MemoryStore, bucket: str, source_key: str, key: str) -> None:
        real(self, bucket, source_key, key)
        copied.append(key.removeprefix(CLEAN))

    monkeypatch.setattr(MemoryStore, "copy", copy)
    return copied


def published(w: MemoryWorld) -> dict[str, bytes]:
    keys = [key for key in w.store.keys("media", CLEAN) if not key.endswith("latest.json")]
    found = {key: w.store.get("media", key) for key in keys}
    return {key.removeprefix(CLEAN): one.body for key, one in found.items() if one}


def test_segments_come_before_the_playlists_that_name_them_and_the_master_last(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands(w)
    copied = order(monkeypatch)
    assert publishing.publish(w.world, "job1") == OutputsPublished(at=w.clock.now())
    assert copied[-4:] == ["hls/v0.m3u8", "hls/v1.m3u8", "hls/a0.m3u8", "hls/master.m3u8"]
    assert sum(name.endswith((".m4s", ".mp4")) for name in copied[:-5]) == 12
    assert copied[-5] == "poster.jpg"
    assert published(w) == {
        key.partition("/n")[2].partition("/")[2]: body for key, body in stored().items()
    }
    pointer = w.store.get("media", "outputs/x/mp4-720p/latest.json")
    assert pointer is not None
    assert msgspec.json.decode(pointer.body)["outputs"] == {
        "hls/master.m3u8": f"{CLEAN}hls/master.m3u8",
        "poster.jpg": f"{CLEAN}poster.jpg",
    }


def test_whoever_comes_after_a_crash_goes_on_where_it_was(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands(w)
    real, left = MemoryStore.copy, [7]

    def copy(self: MemoryStore, bucket: str, source_key: str, key: str) -> None:
        if not left[0]:
            raise Temporary("the invocation has ended")
        left[0] -= 1
        real(self, bucket, source_key, key)

    with monkeypatch.context() as patch:
        patch.setattr(MemoryStore, "copy", copy)
        with pytest.raises(Temporary):
            publishing.publish(w.world, "job1")
    before = set(published(w))
    assert len(before) == 7 and not any(name.endswith("m3u8") for name in before)
    copied = order(monkeypatch)
    assert isinstance(publishing.publish(w.world, "job1"), OutputsPublished)
    assert before.isdisjoint(copied)
    once = published(w)
    assert len(once) == len(stored())
    copied.clear()
    assert isinstance(publishing.publish(w.world, "job1"), OutputsPublished)
    assert published(w) == once
    assert not any(name.endswith(".m4s") for name in copied)


def failed(w: MemoryWorld) -> str:
    """Why nothing of the ladder is published."""
    said = publishing.publish(w.world, "job1")
    assert isinstance(said, PublishFailed)
    assert not [name for name in published(w) if name.endswith("m3u8")]
    _, _, detail = said.failure.sentence.partition(": ")
    return f"{said.failure.code}: {detail.removesuffix('.')}"


OTHER = "work/job2/encode/n1/"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"folder": "dash"}, "promised hls, got dash"),
        ({"manifests": ["dash"]}, "promised hls, got dash"),
        ({"manifests": ["hls", "dash"]}, "promised hls, got hls and dash"),
        ({"manifests": []}, "cannot be read"),
        ({"manifests": ["rtmp"]}, "cannot be read"),
        ({"playlists": OTHER}, "outside of its job"),
        ({"playlists": "work/job1/../job2/n/"}, "outside of its job"),
        ({"playlists": "work/job1/finish/n9"}, "outside of its job"),
        ({"playlists": "work/job1/finish/other/"}, "master.m3u8 is another one"),
        ({"layers": [{"tracks": ["v0"], "runs": [[OTHER, 0, 2]]}]}, "outside of its job"),
        ({"layers": [{"tracks": ["v0"], "runs": [["uploads/", 0, 2]]}]}, "outside of its job"),
        ({"layers": [{"tracks": ["v0"], "runs": [[FIRST, 1, 2]]}]}, "a gap at segment 0"),
        ({"layers": [{"tracks": ["v0"], "runs": [[FIRST, 0, 2], [SECOND, 3, 4]]}]}, "a gap"),
        ({"layers": [{"tracks": ["v0"], "runs": [[FIRST, 0, 2], [SECOND, 1, 4]]}]}, "a gap"),
        ({"layers": [{"tracks": ["v0", "v0"], "runs": [[FIRST, 0, 2]]}]}, "the tracks v0, v0"),
        ({"layers": [{"tracks": ["v1"], "runs": [[FIRST, 0, 2]]}]}, "the tracks v1"),
        ({"layers": [{"tracks": ["../../x"], "runs": [[FIRST, 0, 2]]}]}, "cannot be read"),
        ({"layers": [{"tracks": ["v0"], "runs": [[FIRST, 0, SEGMENTS_MAX + 1]]}]}, "cannot be"),
        ({"layers": [{"tracks": ["v0"], "runs": [[FIRST, -1, 2]]}]}, "cannot be read"),
        ({"layers": []}, "cannot be read"),
    ],
)
def test_a_list_that_leads_elsewhere_is_not_followed(
    w: MemoryWorld, changed: dict[str, Any], says: str
) -> None:
    stands(w, msgspec.json.encode({**msgspec.to_builtins(READY), **changed}))
    assert failed(w).startswith("output_broken: ") and says in failed(w)
    assert published(w) == {}


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"not json", b"{" + b" " * (9 << 20) + b"}"],
    ids=["empty", "another", "broken", "large"],
)
def test_a_list_that_is_none_is_not_followed(w: MemoryWorld, body: bytes) -> None:
    stands(w, body)
    assert failed(w) == "output_broken: _published.json cannot be read"


@pytest.mark.parametrize(
    ("artifacts", "says"),
    [
        (ARTIFACTS[1:], "got _published.json, poster.jpg"),
        ((ARTIFACTS[0], ARTIFACTS[2]), "got hls/master.m3u8, poster.jpg"),
        ((*ARTIFACTS, artifact("hls/v0/00000.m4s")), "got _published.json, hls/master.m3u8, hls"),
        ((ARTIFACTS[0], artifact(ladders.PUBLISHED, "work/job2/x"), ARTIFACTS[2]), "outside"),
    ],
)
def test_a_ladder_is_its_master_and_its_list(
    w: MemoryWorld, artifacts: tuple[Artifact, ...], says: str
) -> None:
    stands(w, artifacts=artifacts)
    assert says in failed(w)


def test_a_segment_that_is_not_there_keeps_all_playlists_back(w: MemoryWorld) -> None:
    stands(w)
    w.store.remove("media", f"{SECOND}hls/v1/00002.m4s")
    assert failed(w) == "publish_failed: a file of hls is not where its worker put it"


def test_a_list_that_has_gone_was_followed_before_or_never_will_be(w: MemoryWorld) -> None:
    stands(w, None)
    assert failed(w) == "publish_failed: _published.json is not where its worker put it"
    w.store.put("media", f"{CLEAN}hls/master.m3u8", b"old")
    assert isinstance(publishing.publish(w.world, "job1"), OutputsPublished)


def test_the_outcome_names_the_master_and_how_much_there_is(w: MemoryWorld) -> None:
    stands(w)
    head = a_job(JobState.SUCCEEDED)
    w.table.commit([Put(key=head_key("job1"), item=to_item(head))])
    outcome = announcing.outcome_of(w.world, "job1")
    assert isinstance(outcome, Outcome)
    assert [(one.file, one.key, one.files) for one in outcome.outputs] == [
        ("hls/master.m3u8", f"{CLEAN}hls/master.m3u8", 13),
        ("poster.jpg", f"{CLEAN}poster.jpg", 1),
    ]


# --- For other players ------------------------------------------------------------------------

BOTH = msgspec.structs.replace(LADDER, manifests=("hls", "dash"))
BOTH_READY = msgspec.structs.replace(READY, manifests=BOTH.manifests, iframes=True)
BOTH_ARTIFACTS = (*ARTIFACTS, artifact("hls/manifest.mpd"))


def test_every_list_comes_after_all_segments_and_what_players_open_last(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands(w, BOTH_READY, BOTH_ARTIFACTS, BOTH)
    copied = order(monkeypatch)
    assert publishing.publish(w.world, "job1") == OutputsPublished(at=w.clock.now())
    assert copied[-7:] == [
        *(f"hls/{name}.m3u8" for name in ("v0", "v1", "a0", "v0-iframes", "v1-iframes")),
        "hls/manifest.mpd",
        "hls/master.m3u8",
    ]
    assert not any(name.endswith((".m4s", ".mp4")) for name in copied[-7:])
    pointer = w.store.get("media", "outputs/x/mp4-720p/latest.json")
    assert pointer is not None
    assert set(msgspec.json.decode(pointer.body)["outputs"]) == {
        "hls/master.m3u8",
        "hls/manifest.mpd",
        "poster.jpg",
    }


def test_for_players_of_dash_alone_there_is_no_playlist(w: MemoryWorld) -> None:
    ladder = msgspec.structs.replace(LADDER, manifests=("dash",))
    ready = msgspec.structs.replace(READY, manifests=("dash",), iframes=True)
    artifacts = (artifact("hls/manifest.mpd"), *ARTIFACTS[1:])
    stands(w, ready, artifacts, ladder)
    assert isinstance(publishing.publish(w.world, "job1"), OutputsPublished)
    lists = [name for name in published(w) if not name.endswith((".m4s", ".mp4"))]
    assert sorted(lists) == ["hls/manifest.mpd", "poster.jpg"]


def test_wherever_it_is_cut_off_nothing_names_what_is_not_there(
    w: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And whoever comes after that ends with the same."""
    stands(w, BOTH_READY, BOTH_ARTIFACTS, BOTH)
    real, left = MemoryStore.copy, [0]

    def copy(self: MemoryStore, bucket: str, source_key: str, key: str) -> None:
        if not left[0]:
            raise Temporary("the invocation has ended")
        left[0] -= 1
        real(self, bucket, source_key, key)

    monkeypatch.setattr(MemoryStore, "copy", copy)
    for allowed in range(30):
        left[0] = allowed
        try:
            publishing.publish(w.world, "job1")
        except Temporary:
            there = set(published(w))
            segments = {name for name in there if name.endswith((".m4s", ".mp4"))}
            lists = {name for name in there if name.startswith("hls/")} - segments
            assert len(segments) == 12 or not lists
            assert "hls/master.m3u8" not in there
            assert "hls/manifest.mpd" not in there or len(lists) == 6
        else:
            break
    assert len(published(w)) == len(stored()) + 3
    w.store.remove("media", f"{FINISH}{ladders.PUBLISHED}")
    left[0] = 99
    assert isinstance(publishing.publish(w.world, "job1"), OutputsPublished)


def test_a_manifest_that_was_never_there_is_missed(w: MemoryWorld) -> None:
    stands(w, None, BOTH_ARTIFACTS, BOTH)
    w.store.put("media", f"{CLEAN}hls/master.m3u8", b"old")
    said = publishing.publish(w.world, "job1")
    assert isinstance(said, PublishFailed) and said.failure.code == "publish_failed"


@pytest.mark.parametrize(
    ("artifacts", "says"),
    [
        (ARTIFACTS, "promised _published.json, hls/manifest.mpd"),
        ((*ARTIFACTS, artifact("hls/manifest.mpd", f"{FIRST}manifest.mpd")), "is another one"),
    ],
)
def test_each_kind_of_player_was_promised_its_own(
    w: MemoryWorld, artifacts: tuple[Artifact, ...], says: str
) -> None:
    stands(w, BOTH_READY, artifacts, BOTH)
    assert says in failed(w)


def test_a_worker_of_an_older_release_tells_of_hls_alone(w: MemoryWorld) -> None:
    told = msgspec.to_builtins(READY)
    del told["manifests"], told["iframes"]
    stands(w, msgspec.json.encode(told))
    assert isinstance(publishing.publish(w.world, "job1"), OutputsPublished)
    assert len(published(w)) == len(stored())
