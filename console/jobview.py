"""What a job looks like, to programs and to people. Pure: rows in, documents and lines out.

A task's row holds its token; nothing here may ever show it.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from mayfly.contract.failure import Failure
from mayfly.contract.outcome import Outcome, Published, Receipt, WorkDone
from mayfly.contract.report import Media
from mayfly.core.receipt import work_done
from mayfly.core.rows import ENDS, JobHead, TaskRow, TaskState


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a job is, by what its workers said last."""

    fraction: float
    stage: str = ""
    #: Media seconds a wall second.
    speed: float | None = None
    eta_seconds: float | None = None


def progress_of(head: JobHead, tasks: Sequence[TaskRow], now: float) -> Progress:
    """The mean of its tasks. The rest takes as long, in proportion, as what is done."""
    if head.state in ENDS or not tasks:
        return Progress(fraction=1.0 if head.state in ENDS else 0.0)
    if head.parts > 1:
        return _progress_of_parts(head, tasks[-1], now)
    done = [1.0 if task.state is TaskState.DONE else task.fraction for task in tasks]
    fraction = sum(done) / len(done)
    at_work = [task for task in tasks if task.state is TaskState.RUNNING]
    latest = max(at_work, key=lambda task: task.reported_at or 0.0, default=None)
    if latest is None:
        return Progress(fraction=fraction)
    began = min(task.released_at or task.created_at for task in tasks)
    elapsed = max((latest.reported_at or now) - began, 0.0)
    rest = elapsed * (1 - fraction) / fraction if fraction > 0 else None
    eta = None if rest is None else max(rest - (now - (latest.reported_at or now)), 0.0)
    return Progress(fraction=fraction, stage=latest.stage, speed=latest.speed, eta_seconds=eta)


def _progress_of_parts(head: JobHead, last: TaskRow, now: float) -> Progress:
    """By the head's counts. Joining them counts as one part more."""
    joins = last.kind == "finish"
    done = head.parts if joins else head.parts - head.open_tasks
    fraction = (done + (last.fraction if joins else 0.0)) / (head.parts + 1)
    stage = "joining the parts" if joins else f"{done} of {head.parts} parts"
    rest = (now - head.accepted_at) * (1 - fraction) / fraction if done else None
    return Progress(fraction=fraction, stage=stage, eta_seconds=rest)


def job_document(
    head: JobHead, tasks: Sequence[TaskRow], outcome: Outcome | None, now: float
) -> dict[str, Any]:
    """A job, for programs. Fields are added over time, never renamed."""
    return {
        **head_document(head),
        "progress": dataclasses.asdict(progress_of(head, tasks, now)),
        "tasks": [_task_document(task) for task in tasks],
        "story": list(head.story),
        "work": work_done(head),
        "outcome": outcome,
    }


def head_document(head: JobHead) -> dict[str, Any]:
    """A job in short."""
    return {
        "job_id": head.job_id,
        "state": head.state.value,
        "source": head.source,
        "preset": head.preset,
        "tenant": head.tenant,
        "pool": head.pool,
        "priority": head.priority,
        "run": head.run,
        "rerun_as": head.rerun_as or None,
        "accepted_at": head.accepted_at,
        "ended_at": head.ended_at,
        "attempts": head.attempts,
        "interruptions": head.interruptions,
        "failure": head.failure,
        "parts": head.parts,
    }


def _task_document(task: TaskRow) -> dict[str, Any]:
    return {
        "task_id": task.task_id,
        "state": task.state.value,
        "fraction": task.fraction,
        "stage": task.stage,
        "speed": task.speed,
        "attempts": task.attempts,
        "interruptions": task.interruptions,
        "worker": task.worker,
        "reported_at": task.reported_at,
        "last_failure": task.last_failure,
    }


def head_lines(head: JobHead, progress: Progress, now: float) -> list[str]:
    """A job, for people."""
    taken = (head.ended_at or now) - head.accepted_at
    lines = [
        f"job      {head.job_id}",
        f"state    {head.state.value}{_how_far(head, progress)}",
        f"source   {head.source}",
        f"preset   {head.preset or '-'}, pool {head.pool or '-'}, tenant {head.tenant}",
        f"time     {seconds(taken)} {'in all' if head.ended_at else 'so far'}",
    ]
    if head.run > 1 or head.rerun_as:
        later = f", run again as {head.rerun_as}" if head.rerun_as else ""
        lines.append(f"run      {head.run}{later}")
    if head.attempts or head.interruptions:
        lines.append(f"workers  {head.attempts} attempts, {head.interruptions} interruptions")
    return [*lines, *(f"work     {line}" for line in work_lines(work_done(head)))]


def _how_far(head: JobHead, progress: Progress) -> str:
    return "" if head.state in ENDS else f", {progress.fraction:.0%} {note_of(progress)}".rstrip()


def note_of(progress: Progress) -> str:
    """What stands beside a bar."""
    words = [progress.stage] if progress.stage else []
    if progress.speed is not None:
        words.append(f"{progress.speed:.1f}x")
    if progress.eta_seconds is not None:
        words.append(f"{seconds(progress.eta_seconds)} left")
    return ", ".join(words)


def outcome_lines(outcome: Outcome) -> list[str]:
    """How it ended, for people."""
    if outcome.state == "succeeded":
        note = [outcome.note] if outcome.note else []
        return [*(output_line(output) for output in outcome.outputs), *note]
    if outcome.failure is not None:
        return failure_lines(outcome.failure)
    return [f"The job was {outcome.state}."]


def failure_lines(failure: Failure) -> list[str]:
    """Code, sentence, advice."""
    return [f"{failure.code}: {failure.sentence}", f"What to do: {failure.advice}"]


def output_line(output: Published) -> str:
    """A deliverable: where it is, and what."""
    return f"{output.key or output.file}: {properties(output)}"


def properties(output: Published) -> str:
    """What a deliverable is."""
    many = f" in {output.files} files" if output.files > 1 else ""
    return f"{media_words(output.media, output.file)}, {size(output.size_bytes)}{many}"


def media_words(media: Media, file: str = "") -> str:
    """`mp4, h264 1280x720, 720 frames, aac 48000 Hz 2 ch, 30.00 s`.

    ffprobe names a whole family of containers at once; the file's name says which is meant.
    """
    family = media.container.split(",")
    ending = file.rpartition(".")[2]
    words: list[str] = []
    if media.video_codec:
        words.append(f"{media.video_codec} {media.width}x{media.height}")
    if media.frames is not None:
        words.append(f"{media.frames} frame{'s' if media.frames != 1 else ''}")
    if media.audio_codec:
        words.append(f"{media.audio_codec} {media.sample_rate_hz} Hz {media.channels} ch")
    if media.duration_seconds is not None:
        words.append(f"{media.duration_seconds:.2f} s")
    return ", ".join([ending if ending in family else media.container, *words])


def receipt_line(receipt: Receipt) -> str:
    """What it cost."""
    so_far = "" if receipt.final else " so far (its worker has not stopped)"
    beside = f", {receipt.on_demand_seconds:.1f} s of it on-demand"
    return (
        f"{receipt.billed_seconds:.1f} s billed, {receipt.busy_seconds:.1f} s of them busy, "
        f"{receipt.vcpu:g} vCPU and {receipt.memory_gib:g} GiB: {dollars(receipt.dollars)} on "
        f"Fargate Spot{beside if receipt.on_demand_seconds else ''}{so_far}"
    )


def work_lines(work: WorkDone | None) -> list[str]:
    """What its pictures took over what they were predicted to take; nothing where nobody did."""
    if work is None:
        return []
    planned = f"{seconds(work.planned_seconds)} of work in its plan" if work.planned_seconds else ""
    done = ""
    if work.predicted_seconds:
        ratio = work.measured_seconds / work.predicted_seconds
        done = (
            f"{seconds(work.measured_seconds)} taken where {seconds(work.predicted_seconds)} were "
            f"predicted ({ratio:.2f} times)"
        )
    return ["; ".join(part for part in (planned, done) if part)]


def dollars(amount: float) -> str:
    """Cents in four digits where they are few."""
    return f"${amount:.2f}" if amount >= 1 else f"${amount:.5f}"


def seconds(amount: float) -> str:
    """`0.4 s`, `42 s`, `3 min 05 s`, `2 h 07 min`."""
    if amount < 10:
        return f"{max(amount, 0.0):.1f} s"
    whole = round(amount)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def size(amount: int) -> str:
    """`812 B`, `3.4 MB`."""
    for unit, one in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if amount >= one:
            return f"{amount / one:.1f} {unit}"
    return f"{amount} B"
