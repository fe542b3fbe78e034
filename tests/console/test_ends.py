"""How commands end, and how they speak."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from console import ends, main, reach
from console.voice import Voice, clean
from mayfly.aws import errors, visitor
from mayfly.contract.wire import Refusal
from mayfly.perform.ports import Gone, Temporary
from tests.console.conftest import Run, document


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        (ends.JobFailed("It failed."), 1),
        (ends.WrongCall("It is wrong."), 2),
        (Refusal("preset", '"x"', "another"), 2),
        (ends.NoStack("It is not there."), 3),
        (Temporary("AWS did not answer."), 3),
        (errors.Refused("AWS said no."), 3),
        (Gone("The table is gone."), 3),
        (KeyboardInterrupt(), 130),
    ],
)
def test_every_error_is_an_exit_code_and_a_sentence(
    error: BaseException, exit_code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended, ends.speaking(as_json=False):
        raise error

    shown = capsys.readouterr()
    assert ended.value.exit_code == exit_code
    assert shown.err.strip()
    assert "Traceback" not in shown.err
    assert shown.out == ""


def test_errors_of_the_laptop_are_told_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from local import standing

    def nothing(_folder: Path | None = None) -> standing.Facts:
        raise standing.NothingStands("No laptop cloud is running. Start one.")

    monkeypatch.setattr(standing, "find", nothing)

    for words in (("ps",), ("down",), ("interrupt", "x")):
        result = run("local", *words, "--json")
        assert result.exit_code == 3
        assert "No laptop cloud is running" in document(result)["error"]["sentence"]


def test_a_bug_is_no_exit_code_of_a_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise AssertionError("a bug")

    monkeypatch.setattr(main, "app", broken)
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    with pytest.raises(SystemExit) as ended:
        main.main()

    assert ended.value.code == ends.BUG


def test_no_stack_anywhere_says_how_to_get_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "laptop_facts", lambda: None)
    monkeypatch.setattr(visitor, "outputs_on_aws", lambda _name: {})

    result = run("jobs", "--stack", "other")

    assert result.exit_code == 3
    assert "there is no stack other on AWS" in result.stderr
    assert "mayfly local up" in result.stderr


def test_a_strangers_stack_is_told_from_ours(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "laptop_facts", lambda: None)
    monkeypatch.setattr(visitor, "outputs_on_aws", lambda _name: {"VpcId": "vpc-1"})

    result = run("jobs", "--stack", "network")

    assert result.exit_code == 3
    assert "not one of Mayfly's" in result.stderr


def test_the_stack_can_be_named_in_the_environment(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str | None] = []
    monkeypatch.setattr(reach, "reach", asked.append)

    run("jobs")
    monkeypatch.setenv("MAYFLY_STACK", "mine")
    run("jobs")

    assert asked == [None, "mine"]


def test_every_command_takes_json_and_says_so() -> None:
    for command in _commands(typer.main.get_command(main.app)):
        assert any("--json" in parameter.opts for parameter in command.params), command.name
        assert "JSON" in (command.help or ""), command.name


def _commands(group: object) -> list[typer.core.TyperCommand]:
    found: list[typer.core.TyperCommand] = []
    for command in getattr(group, "commands", {}).values():
        found += _commands(command) if hasattr(command, "commands") else [command]
    return found


def test_help_imports_nothing_that_takes_long() -> None:
    """boto3, Rich, msgspec: 30 to 300 ms each."""
    code = (
        "import sys, console.main\n"
        "heavy = {'boto3', 'botocore', 'rich', 'msgspec', 'urllib3', 'mayfly.perform', 'local'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


@pytest.mark.parametrize("word", ["request", "recipe", "task", "report", "outcome"])
def test_each_message_has_a_schema(run: Run, word: str) -> None:
    found = document(run("schema", word))

    assert found["title"] == f"mayfly {word}"
    assert found["$defs"]
    assert document(run("schema"))[word] == found


def test_a_schema_of_nothing_known_is_a_wrong_call(run: Run) -> None:
    assert run("schema", "poem").exit_code == 2


def test_other_peoples_names_cannot_steer_the_terminal() -> None:
    assert clean("a\x1b[2Jb\x07\r\n") == "a\\x1b[2Jb\\x07\\r\n"


def test_a_name_is_not_read_as_markup(capsys: pytest.CaptureFixture[str]) -> None:
    Voice(as_json=False).say("[red]:smile:[/red].mp4")

    assert capsys.readouterr().out == "[red]:smile:[/red].mp4\n"


def test_programs_get_documents_and_no_words(capsys: pytest.CaptureFixture[str]) -> None:
    voice = Voice(as_json=True)
    voice.say("for people")
    voice.table(("A",), [("1",)])
    with voice.bar("works") as bar:
        bar.to(0.5)
    voice.document({"ü": (1, 2)})

    assert json.loads(capsys.readouterr().out) == {"ü": [1, 2]}


def test_colours_are_for_terminals_that_want_them() -> None:
    """A terminal with NO_COLOR gets none."""
    code = "from console.voice import Voice; Voice(as_json=False).say('plain', style='red')"
    wanted = {**os.environ, "TERM": "xterm-256color", "FORCE_COLOR": "1"}
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env
        ).stdout
        for env in (wanted, {**wanted, "NO_COLOR": "1"})
    ]

    assert "\x1b[31m" in outputs[0]
    assert "\x1b[31m" not in outputs[1]
