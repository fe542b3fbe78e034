"""The commands that do things once more: rerun, redrive."""

import dataclasses
import datetime
import re
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console import options, reach
from console.ends import NO_STACK, WrongCall, speaking
from console.voice import Voice

if TYPE_CHECKING:
    from mayfly.core.rows import JobHead

_UNITS = {"m": 60, "h": 3600, "d": 86400}


def rerun(
    job: options.JobId,
    pool: Annotated[
        str | None,
        typer.Option(help="The task size, if not the one before.", show_default=False),
    ] = None,
    wait: options.Wait = False,
    stack: options.StackName = None,
    as_json: options.AsJson = False,
) -> None:
    """Do an ended job once more, as a job of its own: the next run.

    Nothing is overwritten. Asked twice it is one run; to do that one again, name it. Its worker
    hatches with the next tick, within a minute.

    JSON: {"job_id", "rerun_of", "run", "state", "joined" (it was asked for before)}; with --wait
    also "outcome" and "receipt". A job that cannot be run again is a wrong call (exit 2).
    """
    with speaking(as_json) as voice:
        from console import following, jobs
        from mayfly.perform import receipts, rerunning

        at = reach.reach(stack)
        following.known(at.world, job)
        try:
            again = rerunning.rerun(at.world, job, pool)
        except rerunning.NotAgain as error:
            raise WrongCall(str(error), f"`mayfly status {job}` tells how it is.") from None
        head = following.known(at.world, again.job_id).head
        about = {"job_id": head.job_id, "rerun_of": job, "run": head.run, "joined": again.joined}
        voice.say(again.job_id)
        if again.joined and voice.on_terminal:
            voice.say(f"Job {job} was run again before: this is its run {head.run}.")
        if not wait:
            voice.document({**about, "state": head.state.value})
            if voice.on_terminal:
                more = "watch" if head.ended_at is None else "rerun"
                voice.say(f"It is {head.state.value}. Go on with: mayfly {more} {head.job_id}")
            return
        outcome = jobs.follow_job(voice, at, head.job_id)
        receipt = receipts.receipt_of(at.world, head.job_id)
        ended = {"state": outcome.state, "outcome": outcome, "receipt": receipt}
        voice.document({**about, **ended})
        jobs.tell_end(voice, outcome)


@dataclasses.dataclass(slots=True, kw_only=True)
class _Line:
    """One failed job, and what became of it."""

    head: "JobHead"
    #: The next run, or "request" when its dead request was sent again.
    redriven_as: str | None = None
    why_not: str | None = None


def redrive(
    code: Annotated[
        str | None, typer.Option(help="Only jobs with this failure code.", show_default=False)
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="Only jobs that ended since: 90m, 24h, 7d, 2026-11-20.", metavar="WHEN"),
    ] = None,
    pool: Annotated[
        str | None, typer.Option(help="Only jobs of this pool.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 1000,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List them and do nothing.")] = False,
    stack: options.StackName = None,
    as_json: options.AsJson = False,
) -> None:
    """Try everything again that failed through no fault of its input.

    Failed jobs are run again, and dead requests are sent again; each once, however often this is
    asked. Users' own tasks cannot be: their URLs came with their messages.

    JSON: {"stack", "dry_run", "jobs": [job_id, source, preset, pool, run, code, ended_at,
    redriven_as (the next run, or "request"), why_not], "redriven", "left", "more" (there are more
    than --limit), "stopped" (why it could not go on, or null; exit 3)}.
    """
    with speaking(as_json) as voice:
        from mayfly.perform import rerunning

        at = reach.reach(stack)
        after = 0.0 if since is None else moment(since, at.world.clock.now())
        wanted = rerunning.Wanted(code=_checked(code), pool=pool, since=after)
        found = list(islice(rerunning.failed(at.world, wanted), limit + 1))
        lines = [_Line(head=head) for head in found[:limit]]
        stopped = _go_through(voice, at, lines, dry_run)
        redriven = sum(line.redriven_as is not None for line in lines)
        voice.document(
            {"stack": at.name, "dry_run": dry_run, "jobs": [_document(line) for line in lines]}
            | {"redriven": redriven, "left": len(lines) - redriven}
            | {"more": len(found) > limit, "stopped": stopped}
        )
        _tell(voice, lines, dry_run)
        if len(found) > limit:
            voice.say(f"There are more than {limit}: ask again for the rest.")
        if stopped is not None:
            if not as_json:
                voice.error(stopped, "Ask again: nothing is done twice.")
            raise typer.Exit(NO_STACK)


def moment(text: str, now: float) -> float:
    """Unix time of `90m`, `24h`, `7d` ago or of an ISO date, in UTC if it does not say.

    Raises WrongCall.
    """
    if ago := re.fullmatch(r"(\d{1,6})([mhd])", text):
        return now - int(ago[1]) * _UNITS[ago[2]]
    try:
        at = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise WrongCall(
            f"--since got {text}, which is no time.", "Say 90m, 24h, 7d or 2026-11-20T10:00."
        ) from None
    return (at if at.tzinfo else at.replace(tzinfo=datetime.UTC)).timestamp()


def _checked(code: str | None) -> str | None:
    from mayfly.contract.failure import KNOWN, FailureClass, class_of

    if code is None:
        return None
    if code not in KNOWN:
        raise WrongCall(f"There is no failure code {code}.", "`mayfly jobs` shows those there are.")
    if class_of(code) is FailureClass.BAD_INPUT:
        raise WrongCall(
            f"{code} is the input's or the asker's own doing: it would end the same way again.",
            "One job can be done again all the same: mayfly rerun JOB",
        )
    return code


def _go_through(voice: Voice, at: reach.Stack, lines: Sequence[_Line], dry_run: bool) -> str | None:
    """Redrives each, or only asks whether it could be; answers with what stopped it."""
    from mayfly.perform import rerunning
    from mayfly.perform.ports import Temporary

    with voice.bar("looks" if dry_run else "redrives") as bar:
        for number, line in enumerate(lines, 1):
            try:
                if dry_run:
                    line.why_not = rerunning.why_not(at.world, line.head) or None
                else:
                    requests = at.queues["requests"]
                    line.redriven_as = rerunning.redrive(at.world, line.head, requests)
            except rerunning.NotAgain as error:
                line.why_not = str(error)
            except Temporary as error:
                return str(error)
            bar.to(number / len(lines), f"{number} of {len(lines)}")
    return None


def _document(line: _Line) -> dict[str, Any]:
    head = line.head
    return {
        "job_id": head.job_id,
        "source": head.source,
        "preset": head.preset,
        "pool": head.pool,
        "run": head.run,
        "code": head.failure.code if head.failure else None,
        "ended_at": head.ended_at,
        "redriven_as": line.redriven_as,
        "why_not": line.why_not,
    }


def _tell(voice: Voice, lines: Sequence[_Line], dry_run: bool) -> None:
    if not lines:
        voice.say("Nothing failed through no fault of its input.")
        return
    rows = [
        (
            line.head.job_id,
            line.head.failure.code if line.head.failure else "-",
            line.redriven_as or ("no" if line.why_not else "-"),
            line.why_not or line.head.source,
        )
        for line in lines
    ]
    voice.table(("JOB", "CODE", "AGAIN AS", "SOURCE, OR WHY NOT"), rows)
    could = sum(line.why_not is None for line in lines)
    if dry_run:
        voice.say(f"{could} of {len(lines)} would be tried again: ask without --dry-run.")
    else:
        done = sum(line.redriven_as is not None for line in lines)
        voice.say(f"{done} of {len(lines)} are tried again; workers hatch within a minute.")
