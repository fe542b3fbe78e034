"""One real job from end to end, told as it is seen, and proof that nothing is left of it.

What it says was looked up; nothing is told because it should be so.
"""

import dataclasses
from pathlib import Path
from typing import Any

import typer

from console import ends, following, jobs, jobview, laptop, mediaconvert, reach, submitting
from console.jobview import Progress
from console.mediaconvert import Quote
from console.narrating import Narrator
from console.observing import Seen, left, observe
from console.submitting import OPEN_SECONDS_MAX, Submitted
from console.voice import Bar, Voice
from mayfly.contract.outcome import Outcome, Receipt
from mayfly.perform import receipts

#: How often everything is looked up. Ten small calls to a process on this machine.
LOOK_SECONDS = 0.3

#: How long workers may take to leave: a drain needs one tick at most, and a tick is a minute.
DRAIN_SECONDS_MAX = 180


@dataclasses.dataclass(slots=True, kw_only=True)
class Run:
    """One demonstration under way."""

    voice: Voice
    at: reach.Stack
    job_id: str = ""
    began_at: float = 0.0
    narrator: Narrator = dataclasses.field(default_factory=Narrator)
    known: set[str] = dataclasses.field(default_factory=set)
    stages: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    def tell(self, sentence: str) -> None:
        """A stage, with the seconds since the beginning."""
        after = self.at.world.clock.now() - self.began_at
        self.stages.append({"after_seconds": round(after, 1), "sentence": sentence})
        self.voice.say(f"{after:6.1f} s  {sentence}")


def show(run: Run, path: Path, preset: str | None, out: Path, own: bool) -> None:
    """Everything from the upload to the proof. Exit 1 if the job failed or something is left."""
    submitted = _upload(run, path, preset)
    run.job_id = submitted.job_id
    try:
        _watch(run)
    except KeyboardInterrupt:
        if not own and following.look(run.at.world, run.job_id):
            jobs.cancel_job(run.at, run.job_id)
        raise
    outcome = following.outcome_of(run.at.world, run.job_id)
    files = laptop.fetch(run.at, outcome, out)
    receipt, last = _drain(run)
    quote = mediaconvert.quote(outcome.outputs)
    remains = left(last)
    clean = not any(remains.values())
    run.voice.document(
        {"job_id": run.job_id, "stages": run.stages, "outcome": outcome}
        | {"files": [str(file) for file in files], "receipt": receipt, "mediaconvert": quote}
        | {"left": remains, "clean": clean}
    )
    _conclude(run.voice, outcome, files, receipt, quote)
    _prove(run.voice, remains)
    if outcome.state != "succeeded" or (own and not clean):
        raise typer.Exit(ends.JOB_FAILED)


def _upload(run: Run, path: Path, preset: str | None) -> Submitted:
    run.began_at = run.at.world.clock.now()
    submitted = submitting.upload(run.voice, run.at, path, preset)
    how_much = jobview.size(path.stat().st_size)
    run.tell(f"Uploaded {path.name} ({how_much}) as {submitted.source}.")
    return submitted


def _watch(run: Run) -> None:
    """Tells every stage until the job has ended."""
    with run.voice.bar("encodes") as bar:
        while True:
            seen = observe(run.at, run.job_id, run.known)
            for sentence in run.narrator.hear(seen):
                run.tell(sentence)
            if seen.job is not None:
                _draw(bar, jobview.progress_of(seen.job.head, seen.job.tasks, seen.at))
                if seen.job.head.ended_at is not None:
                    break
            elif seen.at - run.began_at > OPEN_SECONDS_MAX:
                raise ends.NoStack(
                    f"No job was opened within {OPEN_SECONDS_MAX} s of the upload.",
                    "See the laptop cloud's log: .mayfly/logs/aws.log.",
                )
            run.at.world.clock.sleep(LOOK_SECONDS)


def _draw(bar: Bar, progress: Progress) -> None:
    bar.to(progress.fraction or None, jobview.note_of(progress))


def _drain(run: Run) -> tuple[Receipt, Seen]:
    """Waits until nothing is left, telling what it waits for; the bill and the last look."""
    world = run.at.world
    deadline = world.clock.now() + DRAIN_SECONDS_MAX
    with run.voice.bar("drains") as bar:
        while True:
            seen = observe(run.at, run.job_id, run.known)
            for sentence in run.narrator.hear(seen):
                run.tell(sentence)
            receipt = receipts.receipt_of(world, run.job_id)
            remains = [f"{count} {name}" for name, count in left(seen).items() if count]
            if not remains and receipt.final:
                return receipt, seen
            if seen.at > deadline:
                run.tell(f"Still there after {DRAIN_SECONDS_MAX} s: {', '.join(remains)}.")
                return receipt, seen
            bar.to(None, "waits for " + ", ".join(remains or ["the last worker's bill"]))
            world.clock.sleep(LOOK_SECONDS)


def _conclude(
    voice: Voice,
    outcome: Outcome,
    files: list[Path],
    receipt: Receipt,
    quote: Quote,
) -> None:
    voice.say("")
    good = outcome.state == "succeeded"
    voice.say("What came out" if good else "What went wrong", style="green" if good else "red")
    for file, output in zip(files, outcome.outputs, strict=True):
        voice.say(f"  {file.resolve()}")
        voice.say(f"  {jobview.properties(output)}")
    for line in () if good else jobview.outcome_lines(outcome):
        voice.say(f"  {line}")
    voice.say("")
    voice.say("What it cost", style="bold")
    voice.say(f"  {jobview.receipt_line(receipt)}")
    if quote.dollars:
        asked = jobview.dollars(quote.dollars)
        voice.say(f"  MediaConvert would have asked about {asked} ({quote.source}).")


def _prove(voice: Voice, remains: dict[str, int]) -> None:
    voice.say("")
    voice.say("What is left running", style="bold")
    for name, count in remains.items():
        voice.say(f"  {count:3d} {name}", style="" if count == 0 else "red")
