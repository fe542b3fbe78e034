"""The command about the language: schema. It needs no stack."""

import enum
from typing import Annotated, Any

import typer

from console import options
from console.ends import speaking


class Word(enum.StrEnum):
    """What has a schema."""

    REQUEST = "request"
    RECIPE = "recipe"
    TASK = "task"
    REPORT = "report"
    OUTCOME = "outcome"


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
