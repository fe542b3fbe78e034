"""The commands about jobs: status, watch, jobs, cancel, receipt."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from console import ends, options, reach
from console.ends import speaking
from console.voice import Voice

if TYPE_CHECKING:
    from console.following import Look
    from mayfly.contract.outcome import Outcome
    from mayfly.core.rows import JobHead


def status(
    job: options.JobId, stack: options.StackName = None, as_json: options.AsJson = False
) -> None:
    """Show where a job is.

    JSON: job_id, state, source, preset, tenant, pool, priority, run, rerun_as (its next run),
    accepted_at, ended_at, attempts, interruptions, failure, parts (tasks of its plan; 1 without
    one), progress {fraction, stage, speed, eta_seconds}, tasks (of a plan: the first and the one
    that joins them), story, work {planned_seconds, predicted_seconds, measured_seconds} or null,
    outcome (null until the job has ended). Times are Unix seconds.
    """
    with speaking(as_json) as voice:
        from console import following, jobview

        at = reach.reach(stack)
        seen = following.known(at.world, job)
        ended = seen.head.ended_at is not None
        outcome = following.outcome_of(at.world, job) if ended else None
        voice.document(jobview.job_document(seen.head, seen.tasks, outcome, seen.at))
        progress = jobview.progress_of(seen.head, seen.tasks, seen.at)
        for line in jobview.head_lines(seen.head, progress, seen.at):
            voice.say(line)
        for line in jobview.outcome_lines(outcome) if outcome else ():
            voice.say(line)


def watch(
    job: options.JobId, stack: options.StackName = None, as_json: options.AsJson = False
) -> None:
    """Follow a job until it ends; exit 1 if it did not succeed.

    JSON: one document a line. {"event": "state", "state"}, {"event": "progress", "fraction",
    "stage", "speed", "eta_seconds"}, and last {"event": "outcome", "outcome", "receipt"}; each
    with job_id and at.
    """
    with speaking(as_json) as voice:
        from mayfly.perform import receipts

        at = reach.reach(stack)
        outcome = follow_job(voice, at, job, tell=voice.event)
        receipt = receipts.receipt_of(at.world, job)
        ended = {"event": "outcome", "job_id": job, "at": outcome.ended_at}
        voice.event({**ended, "outcome": outcome, "receipt": receipt})
        tell_end(voice, outcome)


def follow_job(
    voice: Voice, at: reach.Stack, job: str, tell: Callable[[object], None] = lambda _: None
) -> "Outcome":
    """Shows a job's progress until it has ended; `tell` hears each step as a document."""
    from console import following, jobview

    looks = following.changes(
        following.follow(at.world, job),
        lambda seen: (
            seen.head.state,
            seen.head.open_tasks,
            [(t.state, t.fraction, t.attempt) for t in seen.tasks],
        ),
    )
    state = ""
    with voice.bar(job[:8]) as bar:
        for seen in looks:
            progress = jobview.progress_of(seen.head, seen.tasks, seen.at)
            step = {"job_id": job, "at": seen.at}
            if seen.head.state.value != state:
                state = seen.head.state.value
                tell({"event": "state", **step, "state": state})
            tell({"event": "progress", **step, **dataclasses.asdict(progress)})
            bar.to(progress.fraction, jobview.note_of(progress) or state)
    return following.outcome_of(at.world, job)


def tell_end(voice: Voice, outcome: "Outcome") -> None:
    """How it ended, for people. Exit 1 unless it succeeded."""
    from console import jobview

    good = outcome.state == "succeeded"
    taken = jobview.seconds(outcome.ended_at - outcome.accepted_at)
    voice.say(f"{outcome.job_id} {outcome.state} after {taken}.", style="green" if good else "red")
    for line in jobview.outcome_lines(outcome):
        voice.say(line)
    if not good:
        raise typer.Exit(ends.JOB_FAILED)


def jobs(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
    stack: options.StackName = None,
    as_json: options.AsJson = False,
) -> None:
    """List the newest jobs, open ones first.

    JSON: {"stack", "jobs": [job_id, state, source, preset, tenant, pool, priority, run, rerun_as,
    accepted_at, ended_at, attempts, interruptions, failure, parts]}.
    """
    with speaking(as_json) as voice:
        from console import jobview

        at = reach.reach(stack)
        heads = at.history.jobs(limit)
        voice.document({"stack": at.name, "jobs": [jobview.head_document(h) for h in heads]})
        if not heads:
            voice.say(f"No jobs yet on {at.where}. Begin with `mayfly submit FILE`.")
            return
        now = at.world.clock.now()
        voice.table(
            ("JOB", "STATE", "PRESET", "TIME", "SOURCE"), [_row(head, now) for head in heads]
        )


def _row(head: "JobHead", now: float) -> tuple[str, ...]:
    from console import jobview

    state = head.state.value
    if head.failure is not None and state == "failed":
        state += f" ({head.failure.code})"
    taken = jobview.seconds((head.ended_at or now) - head.accepted_at)
    return (head.job_id, state, head.preset or "-", taken, head.source)


def cancel(
    job: options.JobId, stack: options.StackName = None, as_json: options.AsJson = False
) -> None:
    """End a job: its workers stop with their next heartbeat (20 s).

    JSON: {"job_id", "state"}. A job that has ended otherwise is a wrong call (exit 2).
    """
    with speaking(as_json) as voice:
        from console import following

        at = reach.reach(stack)
        following.known(at.world, job)
        state = cancel_job(at, job).head.state.value
        if state != "cancelled":
            raise ends.WrongCall(f"Job {job} cannot be cancelled any more: it is {state}.")
        voice.document({"job_id": job, "state": state})
        voice.say(f"Job {job} is cancelled. Its worker stops with its next heartbeat.")


def cancel_job(at: reach.Stack, job: str) -> "Look":
    """Ends a job if it can still be ended; the job as it is then."""
    from console import following
    from mayfly.core import commands, events
    from mayfly.perform import engine

    asked = events.CancelRequested(at=at.world.clock.now())
    decision = engine.apply(at.world, asked, job)
    # What else follows needs the Lambdas' powers (pools, grants); their next tick sees to it.
    ours = (commands.StopWorkers, commands.AnnounceOutcome)
    engine.run(at.world, [each for each in decision.commands if isinstance(each, ours)])
    return following.known(at.world, job)


def receipt(
    job: options.JobId, stack: options.StackName = None, as_json: options.AsJson = False
) -> None:
    """Show what a job cost, and what MediaConvert would have asked.

    JSON: {"job_id", "receipt": {billed_seconds, busy_seconds, vcpu, memory_gib, dollars, final,
    on_demand_seconds}, "work": {planned_seconds, predicted_seconds, measured_seconds} or null (what
    its pictures were predicted to take, and took), "mediaconvert": {dollars, unpriced, source} or
    null, "proof": {chunks, frames, seams_checked, samples, made_anew, whole_because} or null}. Not
    final until its workers have stopped.
    """
    with speaking(as_json) as voice:
        from console import following, jobview, mediaconvert
        from mayfly.core.receipt import work_done
        from mayfly.perform import announcing, receipts

        at = reach.reach(stack)
        work = work_done(following.known(at.world, job).head)
        found = receipts.receipt_of(at.world, job)
        outcome = announcing.outcome_of(at.world, job)
        quote = mediaconvert.quote(outcome.outputs) if outcome and outcome.outputs else None
        proof = outcome.proof if outcome else None
        document = {"job_id": job, "receipt": found, "work": work, "mediaconvert": quote}
        voice.document({**document, "proof": proof})
        voice.say(jobview.receipt_line(found))
        for line in jobview.work_lines(work):
            voice.say(line)
        if quote is not None and quote.dollars:
            voice.say(f"MediaConvert would have asked about {jobview.dollars(quote.dollars)}")
            voice.say(f"({quote.source}).")
