"""The commands about the language: presets, schema. They need no stack."""

import enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console import options
from console.ends import speaking

if TYPE_CHECKING:
    from mayfly.contract.recipe import Recipe

#: A worker of the standard pool.
_VCPU, _GIB_PER_VCPU = 2, 2


class Word(enum.StrEnum):
    """What has a schema."""

    REQUEST = "request"
    RECIPE = "recipe"
    TASK = "task"
    REPORT = "report"
    OUTCOME = "outcome"


def presets(as_json: options.AsJson = False) -> None:
    """List the named recipes, and what an hour of 1080p costs with each.

    JSON: {"presets": {NAME: {"why", "recipe", "hour": {"work_seconds" (of one worker of 2 vCPU),
    "dollars"}}}}. Pictures alone, on Fargate Spot, as `mayfly estimate` reckons.
    """
    with speaking(as_json) as voice:
        from console import jobview
        from mayfly.contract import presets as known

        found = known.all_presets()
        hours = {name: _hour(preset.recipe) for name, preset in found.items()}
        voice.document(
            {
                "presets": {
                    name: {"why": preset.why, "recipe": preset.recipe, "hour": hours[name]}
                    for name, preset in found.items()
                }
            }
        )
        voice.table(
            ("PRESET", "AN HOUR", "WHY"),
            [
                (name, jobview.dollars(hours[name]["dollars"]), preset.why)
                for name, preset in found.items()
            ],
        )


def _hour(recipe: "Recipe") -> dict[str, float]:
    """What an hour of 1080p takes one worker, and what that costs."""
    from mayfly.core import prediction, receipt

    seconds = prediction.recipe_seconds(recipe, prediction.HOUR, _VCPU)
    billed = max(seconds, receipt.BILLED_SECONDS_MIN)
    spent = receipt.dollars(billed, _VCPU, _VCPU * _GIB_PER_VCPU)
    return {"work_seconds": round(seconds, 1), "dollars": round(spent, 6)}


def schema(
    word: Annotated[
        Word | None, typer.Argument(metavar="[request|recipe|task|report|outcome]")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Print the JSON Schema of a message; of all of them by name when none is given.

    It is JSON with and without --json.
    """
    with speaking(as_json=True) as voice:
        del as_json
        schemas = {each.value: _schema(each) for each in ([word] if word else Word)}
        voice.document(schemas[word.value] if word else schemas)


def _schema(word: Word) -> dict[str, Any]:
    import msgspec

    from mayfly.contract.outcome import Outcome
    from mayfly.contract.recipe import Recipe
    from mayfly.contract.report import Report
    from mayfly.contract.request import Request
    from mayfly.contract.task import Task

    kinds: dict[Word, Any] = {
        Word.REQUEST: Request,
        Word.RECIPE: Recipe,
        Word.TASK: Task,
        Word.REPORT: Report,
        Word.OUTCOME: Outcome,
    }
    found: dict[str, Any] = msgspec.json.schema(kinds[word])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"mayfly {word.value}",
        **found,
    }
