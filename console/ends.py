"""How a command ends: exit codes, and every error as a sentence with what to do next.

0 well · 1 the job failed · 2 the call was wrong · 3 the stack is not there or does not do it ·
130 interrupted. No exception's traceback is for a user; one that reaches `main` is a bug (70).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from console.voice import Voice

JOB_FAILED, WRONG_CALL, NO_STACK, INTERRUPTED, BUG = 1, 2, 3, 130, 70


class Ended(Exception):
    """A command cannot go on: what is wrong, and what to do next."""

    exit_code = BUG

    def __init__(self, sentence: str, advice: str = "") -> None:
        self.sentence = sentence
        self.advice = advice
        super().__init__(sentence)


class WrongCall(Ended):
    """What was asked for cannot be."""

    exit_code = WRONG_CALL


class NoStack(Ended):
    """The stack is not there, or does not answer."""

    exit_code = NO_STACK


class JobFailed(Ended):
    """The job did not succeed."""

    exit_code = JOB_FAILED


@contextmanager
def speaking(as_json: bool) -> Iterator[Voice]:
    """A voice to speak with; whatever goes wrong is told in it and becomes an exit code."""
    voice = Voice(as_json=as_json)
    try:
        yield voice
    except KeyboardInterrupt:
        voice.interrupted()
        raise typer.Exit(INTERRUPTED) from None
    except (typer.Exit, BrokenPipeError):
        raise  # said already; or whoever read our words has gone, and `main` knows
    except Exception as error:
        ended = error if isinstance(error, Ended) else _ending(error)
        if ended is None:
            raise
        voice.error(ended.sentence, ended.advice)
        raise typer.Exit(ended.exit_code) from None


def _ending(error: Exception) -> Ended | None:
    """What an error of the other rooms means to a user; None: it is a bug."""
    # Imported only now: a command that goes well needs none of them.
    from mayfly.aws import errors
    from mayfly.contract.wire import Refusal
    from mayfly.perform.ports import Gone, Temporary

    said = str(error)
    match error:
        case Refusal():
            return WrongCall(said, "`mayfly schema request` and `mayfly presets` show what may be.")
        case errors.Refused():
            return NoStack(said, "See who you are there: aws sts get-caller-identity.")
        case Gone():
            return NoStack(said, "Is the stack being removed? `mayfly doctor` looks.")
        case Temporary():
            return NoStack(said, "Try again in a moment.")
        case _:
            return _of_the_laptop(error)


def _of_the_laptop(error: Exception) -> Ended | None:
    from local import assembly, cloud, embedded, fargate, standing, tools

    said = str(error)
    match error:
        case standing.NothingStands():
            return NoStack(said)
        case standing.AlreadyStands() | standing.CommandRefused() | fargate.NoSuchTask():
            return WrongCall(said)
        case (
            assembly.BuildFailed()
            | cloud.CloudFailed()
            | embedded.EmbeddedAwsFailed()
            | tools.ToolMissing()
        ):
            return NoStack(said)
        case _:
            return None
