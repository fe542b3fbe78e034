"""What users write is strict, and every refusal is a sentence."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mayfly.contract import failure, presets, wire
from mayfly.contract.recipe import LadderOutput, Recipe
from mayfly.contract.report import Report, Started, read_report
from mayfly.contract.request import Request, resolve_recipe
from mayfly.contract.settings import FunctionSettings, WorkerSettings
from mayfly.contract.task import Control, Task
from mayfly.core import ladders
from mayfly.memory.world import SETTINGS


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (
            '{"source": "s3://b/k", "sauce": 1}',
            "sauce: got an unknown field, but it must be one of: source",
        ),
        ("{}", "the message: name a source, s3://bucket/uploads/…, or sources"),
        ('{"source": "s3://b/k", "sources": ["s3://b/k"]}', "the message: name a source"),
        ('{"sources": ["k"]}', 'sources[0]: got "k", but it must'),
        ('{"source": 7}', "source: got 7, but it must be a string"),
        ('{"source": "s3://b/k", "priority": 99}', "priority: got 99, but it must be"),
        (
            '{"source": "s3://b/k", "pool": "huge"}',
            'pool: got "huge", but it must be one of: large, small, standard',
        ),
        (
            '{"source": "s3://b/k", "recipe": {"outputs": []}}',
            "recipe.outputs: got [], but it must be",
        ),
        (
            '{"source": "s3://b/k", "recipe": {"outputs": [{"kind": "video", "crf": 99}]}}',
            "recipe.outputs[0].crf: got 99, but it must be",
        ),
        (
            '{"source": "s3://b/k", "recipe": {"outputs": [{"kind": "video", "speed": "warp"}]}}',
            'recipe.outputs[0].speed: got "warp", but it must be one of: ',
        ),
        ("not json", "the message: got 8 bytes that are not JSON"),
        ("", "the message: got nothing"),
        ("[]", "the message: got [], but it must be an object"),
        ('{"source": "s3://b/k", "version": 2}', "version: got 2, but it must be"),
    ],
)
def test_a_refusal_names_the_field_what_it_got_and_what_it_may_be(body: str, sentence: str) -> None:
    with pytest.raises(wire.Refusal) as refused:
        wire.decode(Request, body)
    assert sentence in str(refused.value)


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["source", "recipe", "outputs", "kind", "crf", "box", "x"]),
                inner,
                max_size=3,
            )
        ),
        max_leaves=8,
    )
)
def test_any_json_is_a_request_or_a_refusal_in_one_short_sentence(value: object) -> None:
    try:
        assert isinstance(wire.convert(Request, value), Request)
    except wire.Refusal as refusal:
        assert str(refusal).endswith(".") and len(str(refusal)) < 500


def test_an_endless_name_of_a_field_is_not_shown_back_whole() -> None:
    """The sentence becomes a part of a row and of an event."""
    with pytest.raises(wire.Refusal) as refused:
        wire.convert(Request, {"source": "s3://b/k", "x" * 60_000: 1})
    assert f"{'x' * 80}…: got an unknown field" in str(refused.value)
    assert len(str(refused.value)) < 500


def test_a_refusal_inside_a_place_names_it_first() -> None:
    refusal = wire.Refusal("a.b", "1", "two").inside("x.json")
    assert (refusal.field, refusal.got, refusal.may_be) == ("x.json: a.b", "1", "two")
    assert str(refusal) == "x.json: a.b: got 1, but it must be two."
    told = wire.Contradiction("a", "leave b out").inside("x.json")
    assert str(told) == "x.json: a: leave b out."


def test_a_deep_message_is_refused_and_not_a_crash() -> None:
    with pytest.raises(wire.Refusal):
        wire.decode(Request, "[" * 100_000)


@pytest.mark.parametrize("name", list(presets.all_presets()))
def test_every_preset_is_a_valid_recipe_with_a_reason(name: str) -> None:
    preset = presets.all_presets()[name]
    assert preset.why.endswith(".") and preset.recipe.outputs


def test_players_of_dash_get_the_sizes_that_players_of_hls_get() -> None:
    known = presets.all_presets()
    (hls,), (both,) = (known[name].recipe.outputs for name in ("web-hls", "web-hls-dash"))
    assert isinstance(hls, LadderOutput) and isinstance(both, LadderOutput)
    same = msgspec.structs.replace(both, file=hls.file, manifests=hls.manifests)
    assert same == hls and both.manifests == ("hls", "dash")


def test_an_unknown_preset_is_refused_with_the_list_of_known_ones() -> None:
    with pytest.raises(
        wire.Refusal, match=r"archive-lossless, .*, preview-gif, storyboard, timelapse, web-hls"
    ):
        resolve_recipe(Request(source="s3://b/k", preset="mp5"), "mp4-720p")


def test_a_preset_beside_a_recipe_is_refused() -> None:
    recipe = presets.all_presets()["poster"].recipe
    with pytest.raises(wire.Refusal, match="not both"):
        resolve_recipe(Request(source="s3://b/k", preset="poster", recipe=recipe), "poster")


def test_the_default_preset_is_used_when_none_is_named() -> None:
    assert resolve_recipe(Request(source="s3://b/k"), "poster")[0] == "poster"


def test_two_outputs_of_one_name_are_refused() -> None:
    output = presets.all_presets()["poster"].recipe.outputs[0]
    with pytest.raises(wire.Refusal, match=r"poster\.jpg"):
        resolve_recipe(
            Request(source="s3://b/k", recipe=Recipe(outputs=(output, output))), "poster"
        )


@pytest.mark.parametrize(
    ("manifests", "says"),
    [
        ([], r"manifests: got \[\]"),
        (["hls", "hls"], r"recipe\.outputs\[0\]\.manifests: got hls twice"),
        (["hls", "dash", "hls"], "manifests"),
        (["smooth"], r'manifests\[0\]: got "smooth", but it must be one of: dash, hls'),
        ("hls", "a list"),
    ],
)
def test_a_ladder_is_listed_once_for_each_kind_of_player(manifests: object, says: str) -> None:
    ladder = {"kind": "ladder", "rungs": [{"box": {"width": 64, "height": 64}}]}
    raw = {"source": "s3://b/k", "recipe": {"outputs": [ladder | {"manifests": manifests}]}}
    with pytest.raises(wire.Refusal, match=says):
        resolve_recipe(wire.convert(Request, raw), "poster")


def test_a_ladder_of_an_older_recipe_is_listed_for_hls() -> None:
    ladder = {"kind": "ladder", "rungs": [{"box": {"width": 64, "height": 64}}]}
    (output,) = wire.convert(Recipe, {"outputs": [ladder]}).outputs
    assert isinstance(output, LadderOutput)
    assert ladders.delivered(output) == ["hls/master.m3u8"]
    both = msgspec.structs.replace(output, file="film", manifests=("dash", "hls"))
    assert ladders.delivered(both) == ["film/manifest.mpd", "film/master.m3u8"]


@pytest.mark.parametrize("name", ["../x", "A.mp4", ".hidden", "a/b", "x" * 65, ""])
def test_a_file_name_that_could_leave_its_folder_is_refused(name: str) -> None:
    with pytest.raises(wire.Refusal, match="file"):
        wire.convert(Recipe, {"outputs": [{"kind": "poster", "file": name}]})


def test_old_workers_and_new_lambdas_ignore_what_they_do_not_know() -> None:
    said = Started(job_id="j", task_id="t", token="k", attempt="a", at=1.0)
    body = wire.encode(said).replace(b'"job_id"', b'"later":{"x":1},"job_id"')
    assert read_report(body) == said
    assert wire.decode(Control, b'{"order":"stop","news":true}').order == "stop"


def test_a_message_of_another_major_version_is_refused() -> None:
    with pytest.raises(wire.Refusal, match="version"):
        wire.decode(
            Task,
            b'{"version":2,"source":{"fetch":{"url":"https://x"}},"recipe":{"outputs":[{"kind":"poster"}]},"upload":{"by":"put","urls":{}}}',
        )


@pytest.mark.parametrize("code", list(failure.KNOWN))
def test_every_failure_says_what_happened_and_what_to_do(code: str) -> None:
    found = failure.failure(code, "a detail")
    assert found.sentence.endswith(".") and "a detail" in found.sentence and found.advice


def test_an_unknown_code_of_a_newer_worker_is_tried_again() -> None:
    assert failure.class_of("from_the_future") is failure.FailureClass.UNKNOWN


def test_settings_survive_the_environment() -> None:
    assert FunctionSettings.from_env(SETTINGS.to_env()) == SETTINGS
    worker = WorkerSettings(
        pool="standard",
        jobs_queue_url="j",
        done_queue_url="d",
        scratch="/s",
        threads=2,
        memory_mib=1,
    )
    assert WorkerSettings.from_env(worker.to_env()) == worker


@pytest.mark.parametrize("kind", [Request, Recipe, Task, Report])
def test_every_message_has_a_json_schema(kind: type) -> None:
    assert "$defs" in msgspec.json.schema(kind)


def test_an_output_of_no_kind_is_told_the_kinds_and_not_all_their_fields() -> None:
    with pytest.raises(wire.Refusal) as refused:
        wire.convert(Request, {"source": "s3://b/uploads/x", "recipe": {"outputs": [None]}})
    said = str(refused.value)
    assert "an object with kind one of: video, audio, poster" in said and "fields" not in said
