"""People and their programs: uploads, messages, tasks of their own, cancels; honest and not.

What they ask for is remembered, so that an observer can ask whether everybody was answered.
"""

import contextlib
import dataclasses
import json
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote_plus

import msgspec

from mayfly.contract import presets, wire
from mayfly.contract import report as r
from mayfly.contract.recipe import AudioOutput, Recipe, VideoOutput
from mayfly.contract.task import Fetch, PutUrls, Source, Task
from mayfly.core import events
from mayfly.core.changes import Delete, Put
from mayfly.core.commands import Command
from mayfly.core.identity import adopted_job_id
from mayfly.core.rows import PAUSED_KEY
from mayfly.memory.store import MemoryStore
from mayfly.perform import engine, rerunning
from mayfly.perform.ports import Message
from tests.simulation.kinds import Kind
from tests.simulation.lambdas import Lambdas
from tests.simulation.lines import Line
from tests.simulation.options import Options
from tests.simulation.scheduler import Process
from tests.simulation.trouble import Trouble
from tests.simulation.work import THEIR_HOST

BUCKET = "media"
PRESET: Recipe = presets.all_presets()["mp4-720p"].recipe
TWO_FILES = Recipe(outputs=(VideoOutput(file="a.mp4"), AudioOutput(file="b.m4a")))

#: The first word is what the source is like, the second how many seconds it takes to encode.
_SOURCES = (
    b"clip 4",
    b"clip 40",
    b"clip 200",
    b"split 6 6 0",
    b"split 60 3 1",
    b"split 400 8 0",
    b"split 90 18 1",
    b"film 3000",
    b"text 1",
    b"poison 20",
    b"broken 9",
    b"",
)


#: How many lives have a source that takes half a day.
_SLOW_RATE = 1 / 120
#: Of requests and tasks that people write, so many can only be refused.
_MISTAKEN_RATE = 1 / 8

#: Somebody who hears how a job ended comes with the next while its pool is being closed.
_COMING_BACK_MAX, _COMING_BACK_SECONDS = 3, 300.0


@dataclasses.dataclass(slots=True)
class Asked:
    """What people did, as they know it."""

    #: Key and body of each upload whose notification was sent (or lost).
    uploads: list[tuple[str, bytes]] = dataclasses.field(default_factory=list)
    #: Of these S3 never told.
    untold: list[tuple[str, bytes]] = dataclasses.field(default_factory=list)
    request_ids: set[str] = dataclasses.field(default_factory=set)
    cancelled: set[str] = dataclasses.field(default_factory=set)
    #: Bodies of tasks that people wrote themselves.
    brought: set[str] = dataclasses.field(default_factory=set)
    #: Jobs that the messages of these must lead to, as far as anybody received them.
    brought_jobs: set[str] = dataclasses.field(default_factory=set)
    #: How often somebody wanted something done once more.
    again: int = 0
    #: What takes longer to come than SQS lets anybody hold a message.
    slow: int = 0


class People:
    """Everybody outside."""

    def __init__(
        self,
        *,
        options: Options,
        store: MemoryStore,
        requests: Line,
        jobs: Line,
        done: Line,
        lambdas: Lambdas,
        trouble: Trouble,
    ) -> None:
        self.asked = Asked()
        self._options, self._store, self._lambdas, self._trouble = (
            options,
            store,
            lambdas,
            trouble,
        )
        self._requests, self._jobs, self._done = requests, jobs, done
        #: What they will still do, and what is on its way from them.
        self.outstanding = 0
        self._sequence = 0
        self._coming_back = _COMING_BACK_MAX
        jobs.on_handed_out.append(self._handed_out)
        trouble.on_effect.append(self._come_back)

    def plan(self) -> None:
        """Everything they will do."""
        doors = (self.upload, self.upload, self.upload, self.ask, self.bring)
        for _ in range(self._options.requests):
            self._someday(self._trouble.choice(doors))
        for kind, act in (
            (Kind.USER_CANCEL, self.cancel),
            (Kind.USER_PAUSE, self.pause),
            (Kind.USER_FORGED_REPORT, self.forge),
            (Kind.S3_OVERWRITTEN, self.overwrite),
            (Kind.USER_RERUN, self.rerun),
            (Kind.USER_REDRIVE, self.redrive),
        ):
            if self._trouble.looms(kind):
                self._someday(act, later=True)
        # Half a day is long to live through, so few do.
        slow = not self._trouble.calm and self._trouble.uniform(1.0) < _SLOW_RATE
        if slow and not self._options.small:
            self._someday(self.trickle)

    def _someday(self, act: Callable[[], None], *, later: bool = False) -> None:
        span = self._options.arrivals_seconds + (600.0 if later else 0.0)
        self._later(self._trouble.uniform(span), act)

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        self.outstanding += 1

        def now() -> None:
            self.outstanding -= 1
            act()

        self._lambdas.scheduler.after(seconds, now)

    def _come_back(self, action: str, _: Process) -> None:
        """Whoever hears of an end brings more."""
        if action != "bus.publish" or not self._coming_back:
            return
        if self._trouble.strike(Kind.USER_COMES_BACK):
            self._coming_back -= 1
            self._later(self._trouble.uniform(_COMING_BACK_SECONDS), self.upload)

    # --- the doors ---------------------------------------------------------------------------

    def upload(self) -> None:
        """An object under `uploads/`."""
        self.put(self._trouble.choice(("a 1", "b", "c/d")), self._trouble.choice(_SOURCES))

    def trickle(self) -> None:
        """An object that takes for ever to read."""
        self.asked.slow += 1
        self.put("slow", b"slow 5 50000")

    def overwrite(self) -> None:
        """Another object under the same key."""
        if self.asked.uploads:
            key, _ = self._trouble.choice(self.asked.uploads)
            self._trouble.happened(Kind.S3_OVERWRITTEN)
            self.put(key.removeprefix("uploads/").removesuffix(".mp4"), b"clip 17")

    def put(self, name: str, body: bytes) -> None:
        """Stores an object, of which S3 tells."""
        key = f"uploads/{name}.mp4"
        self._sequence += 1
        self._trouble.tell(f"somebody uploads {key}: {body.decode()}")
        stored = self._store.put(BUCKET, key, body)
        self.asked.uploads.append((key, body))
        thing = {
            "key": quote_plus(key, safe="/"),
            "size": len(body),
            "eTag": stored.etag,
            "sequencer": f"{self._sequence:04X}",
        }
        record = {
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": BUCKET}, "object": thing},
        }
        if self._trouble.strike(Kind.S3_NOTE_LOST):
            self.asked.untold.append((key, body))
            return
        note = json.dumps({"Records": [record]}).encode()
        for _ in range(2 if self._trouble.strike(Kind.S3_NOTE_TWICE) else 1):
            late = self._trouble.strike(Kind.S3_NOTE_LATE)
            seconds = self._trouble.choice((5.0, 300.0, 2000.0)) if late else 0.5
            self._later(seconds, lambda: self._requests.put(note))

    def ask(self) -> None:
        """A message on the requests queue, for a source that may not be there."""
        self._sequence += 1
        asked: dict[str, Any] = {
            "source": f"s3://{BUCKET}/uploads/{self._trouble.choice(('a 1', 'b', 'nowhere'))}.mp4",
            "recipe": msgspec.to_builtins(self._trouble.choice((PRESET, TWO_FILES))),
            "request_id": f"ask{self._sequence}",
            "priority": self._trouble.choice((0, 0, 5)),
            "tenant": self._trouble.choice(("default", "default", "other")),
            "deadline_seconds": self._trouble.choice((60, 3600, 86_400)),
        }
        if self._trouble.uniform(1.0) < _MISTAKEN_RATE:
            asked["pool"] = "large"  # which this stack has not
        self._trouble.tell(f"somebody asks for {asked['source']}")
        self.asked.request_ids.add(str(asked["request_id"]))
        self._requests.put(json.dumps(asked).encode())

    def bring(self) -> None:
        """A task of their own, straight onto the jobs queue."""
        self._sequence += 1
        if self._trouble.uniform(1.0) < _MISTAKEN_RATE:
            self._trouble.tell("somebody brings what is no task")
            self._jobs.put(b'{"a": "b"}')
            return
        body = self._trouble.choice(("clip-30", "text-1", "broken-3"))
        self._trouble.tell(f"somebody brings a task: {body}")
        url = f"{THEIR_HOST}{body}-{self._sequence}?signature=0"
        task = Task(source=Source(fetch=Fetch(url=url)), recipe=PRESET, upload=PutUrls(urls={}))
        written = wire.encode(task)
        self.asked.brought.add(written.decode())
        self._jobs.put(written)

    def _handed_out(self, message: Message) -> None:
        if message.body in self.asked.brought:
            job_id = adopted_job_id(message.body.encode(), message.message_id)
            self.asked.brought_jobs.add(job_id)

    # --- what else they do -------------------------------------------------------------------

    def cancel(self) -> None:
        """One job, whatever its state."""
        job_ids = self.jobs()
        if not job_ids:
            return
        job_id = self._trouble.choice(job_ids)
        self.asked.cancelled.add(job_id)
        self._trouble.happened(Kind.USER_CANCEL)
        event = events.CancelRequested(at=self._lambdas.scheduler.now)
        self._lambdas.operate(
            "cancel", lambda: engine.apply(self._lambdas.world, event, job_id).commands
        )

    def rerun(self) -> None:
        """Two operators at once, or one whose command is tried again."""
        job_ids = self.jobs()
        if not job_ids:
            return
        job_id = self._trouble.choice(job_ids)

        def again() -> Sequence[Command]:
            self.asked.again += 1
            with contextlib.suppress(rerunning.NotAgain):
                rerunning.rerun(self._lambdas.world, job_id)
                self._trouble.happened(Kind.USER_RERUN)
            return ()  # the tick sees to the rest, as of whatever a command line does

        for _ in range(self._trouble.choice((1, 2))):
            self._lambdas.operate("rerun", again)

    def redrive(self) -> None:
        """Whatever failed through no fault of its input."""
        world = self._lambdas.world

        def again() -> Sequence[Command]:
            for head in rerunning.failed(world, rerunning.Wanted()):
                self.asked.again += 1
                with contextlib.suppress(rerunning.NotAgain):
                    self._trouble.tell(rerunning.redrive(world, head, self._requests))
                    self._trouble.happened(Kind.USER_REDRIVE)
            return ()

        self._lambdas.operate("redrive", again)

    def pause(self) -> None:
        """For a while."""
        table = self._lambdas.world.table
        row = Put(key=PAUSED_KEY, item={"at": self._lambdas.scheduler.now})
        table.commit([row])
        self._trouble.tell("somebody pauses the stack")
        self._trouble.happened(Kind.USER_PAUSE)
        seconds = self._trouble.choice((30.0, 600.0, 4000.0))
        self._later(seconds, self.go_on)

    def go_on(self) -> None:
        """The end of a pause."""
        self._lambdas.world.table.commit([Delete(key=PAUSED_KEY)])

    def forge(self) -> None:
        """A report by somebody who does not know the token."""
        for job_id in self.jobs()[:1]:
            said = r.Encoded(
                job_id=job_id, task_id="encode", token="x", attempt="forged", at=0.0,
                outputs=(), source=r.Media(container="mov"), busy_seconds=1.0,
            )  # fmt: skip
            self._done.put(wire.encode(said))
            self._trouble.happened(Kind.USER_FORGED_REPORT)

    def jobs(self) -> list[str]:
        """Ids of all jobs there are; set by the stack."""
        return self.known_jobs()

    known_jobs: Callable[[], list[str]] = staticmethod(list)
