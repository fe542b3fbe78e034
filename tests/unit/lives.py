"""A stack under bad weather, one thread, virtual time: the real use cases over the ports in memory.

What SQS, ECS and workers may do at their worst is modelled here; what must hold all the same stands
in `test_random_lives.py`. A forerunner of the simulator, so it stays small.
"""

import json
import random
import traceback
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote_plus

import msgspec

from completion_handler import desk as completion
from dispatcher import desk as dispatcher
from mayfly.contract import report as r
from mayfly.contract import wire
from mayfly.contract.task import Control, Fetch, PutUrls, Source, Task
from mayfly.core import events, limits, naming
from mayfly.core.commands import Command
from mayfly.core.identity import adopted_job_id, adopted_token
from mayfly.core.parts import FIRST_TASK
from mayfly.memory.branches import Branches
from mayfly.memory.bus import MemoryBus
from mayfly.memory.clock import SeededDice, VirtualClock
from mayfly.memory.queue import MemoryQueue
from mayfly.memory.services import MemoryServices
from mayfly.memory.signer import MemorySigner
from mayfly.memory.store import MemoryStore
from mayfly.memory.table import MemoryTable
from mayfly.memory.world import SETTINGS
from mayfly.perform import engine, ticking
from mayfly.perform.ports import HandleLost, Message, Temporary
from mayfly.perform.world import World
from tests.unit.given import RECIPE, TWO_FILES
from tests.unit.weather import Crash, Truth, Weather, Worker

POOL = "standard"
#: How long a message of an event source is hidden while it is worked on.
HIDDEN_SECONDS = 120


class Stack:
    """One stack, its event sources, its workers and its users."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.clock = VirtualClock()
        self.weather = weather = Weather(self.chance, self.clock)
        self.weather.meanwhile = self.invoke_some
        self.store = MemoryStore(clock=self.clock, faults=weather)
        self.table = MemoryTable(faults=weather)
        unseen = Branches(service_unseen_seconds=self.chance.choice((0, 10)))
        self.services = MemoryServices(self.clock, faults=weather, branches=unseen)
        self.bus = MemoryBus(faults=weather)
        self.dead = self._queue("dead")
        self.jobs = MemoryQueue(
            self.clock,
            name="jobs",
            visibility_seconds=limits.VISIBILITY_SECONDS,
            dead_letters=self.dead,
            receives_max=limits.RECEIVES_MAX,
            faults=weather,
        )
        self.done, self.requests, self.ecs = map(self._queue, ("done", "requests", "events"))
        self.workers: list[Worker] = []
        self.truth = Truth()
        self.notes: list[str] = []
        self._ticked_at = self.clock.now()
        self._born = self._asked = 0
        self.world = World(
            settings=SETTINGS,
            table=self.table,
            jobs_queues={POOL: self.jobs},
            done_queue=self.done,
            signer=MemorySigner(self.clock, self.store, faults=weather),
            services=self.services,
            store=self.store,
            bus=self.bus,
            clock=self.clock,
            dice=SeededDice(seed),
        )

    def _queue(self, name: str) -> MemoryQueue:
        return MemoryQueue(
            self.clock, name=name, visibility_seconds=HIDDEN_SECONDS, faults=self.weather
        )

    def maybe(self, probability: float) -> bool:
        """Misfortune; never in fair weather."""
        return not self.weather.calm and self.chance.random() < probability

    # --- users -------------------------------------------------------------------------------

    def user_acts(self) -> None:
        """One of what users do."""
        self.chance.choice((self._upload, self._upload, self._ask, self._bring, self._cancel))()

    def _send(self, queue: MemoryQueue, body: bytes) -> None:
        for _ in range(2 if self.maybe(0.2) else 1):
            queue.delay_seconds = self.chance.choice((0, 0, 5, 60, 300)) if self.maybe(0.3) else 0
            queue.send(body)

    def _upload(self) -> None:
        key = f"uploads/{self.chance.choice('ab')} 1.mp4"
        body = self.chance.choice((b"one", b"two", b"three", b""))
        stored = self.store.put("media", key, body)
        thing = {
            "key": quote_plus(key, safe="/"),
            "size": len(body),
            "eTag": stored.etag,
            "sequencer": f"{int(self.clock.now() * 1000):016X}",
        }
        record = {
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": "media"}, "object": thing},
        }
        if self.maybe(0.2):
            return  # S3 does not tell
        self.notes.append(json.dumps({"Records": [record]}))
        self._send(self.requests, self.notes[-1].encode())

    def _ask(self) -> None:
        self._asked += 1
        asked: dict[str, Any] = {
            "source": f"s3://media/uploads/{self.chance.choice('abc')} 1.mp4",
            "recipe": msgspec.to_builtins(self.chance.choice((RECIPE, TWO_FILES))),
            "request_id": f"ask{self._asked}",
            "priority": self.chance.choice((0, 5)),
            "tenant": self.chance.choice(("default", "ann", "bob")),
            "deadline_seconds": self.chance.choice((None, 60)),
            "pool": self.chance.choice((None,) * 4 + ("large",)),  # which this stack has not
        }
        self.truth.request_ids.add(asked["request_id"])
        self._send(self.requests, json.dumps(asked).encode())

    def _bring(self) -> None:
        """A user's own task, straight onto the jobs queue."""
        self._asked += 1
        source = Source(
            fetch=Fetch(url=f"https://b.s3.amazonaws.com/{self._asked}.mp4?signature=0")
        )
        task = Task(source=source, recipe=RECIPE, upload=PutUrls(urls={}))
        self.jobs.send(wire.encode(task) if self.chance.random() < 0.7 else b'{"a": "b"}')

    def _cancel(self) -> None:
        jobs = sorted({key.pk for key in self.table.snapshot() if key.sk == "head"})
        ids = [pk.removeprefix("job#") for pk in jobs if pk.startswith("job#")]
        if ids:
            job_id = self.chance.choice(ids)
            self.truth.cancelled.add(job_id)
            self._invoked(lambda: self._cancelling(job_id))

    def _cancelling(self, job_id: str) -> None:
        asked = events.CancelRequested(at=self.clock.now())
        engine.run(self.world, engine.apply(self.world, asked, job_id).commands)

    # --- the two Lambdas ---------------------------------------------------------------------

    def invoke_some(self) -> None:
        """One invocation, of whatever event source."""
        self.chance.choice(
            (self._dispatch, self._reports, self._reports, self._letters, self._ecs)
        )()

    def invoke_all(self) -> None:
        """Every event source once, and the tick when it is time."""
        sources = [self._dispatch, self._reports, self._letters, self._ecs]
        self.chance.shuffle(sources)
        for source in sources:
            source()
        if self.clock.now() - self._ticked_at >= limits.TICK_SECONDS:
            self._ticked_at = self.clock.now()
            self._invoked(lambda: engine.run(self.world, ticking.tick(self.world)))

    def _dispatch(self) -> None:
        self._drain(self.requests, lambda message: dispatcher.take(self.world, message.body))

    def _reports(self) -> None:
        self._drain(self.done, lambda m: completion.take(self.world, "mayfly-done", m))

    def _ecs(self) -> None:
        self._drain(self.ecs, lambda m: completion.take(self.world, "mayfly-events", m))

    def _letters(self) -> None:
        self._drain(self.dead, self._dead_letter)

    def _dead_letter(self, message: Message) -> Sequence[Command]:
        body = json.loads(message.body)
        job_id = body.get("job_id") or adopted_job_id(message.body.encode(), message.message_id)
        self.truth.letters[job_id].add(message.message_id)
        return completion.take(self.world, f"mayfly-jobs-{POOL}-dead", message)

    def _drain(self, queue: MemoryQueue, take: Callable[[Message], Sequence[Command]]) -> None:
        """A batch as Lambda hands it out: what failed, or all of it, comes again."""
        batch = queue.receive(wait_seconds=0, limit=self.chance.choice((1, 3, 10)))
        taken: list[Message] = []

        def work() -> None:
            todo: list[Command] = []
            for message in batch:
                try:
                    todo += take(message)
                    taken.append(message)
                except Temporary:
                    continue
            engine.run(self.world, todo)

        if batch and self._invoked(work):
            for message in taken:
                queue.delete(message.handle)

    def _invoked(self, work: Callable[[], None]) -> bool:
        self.weather.invoked = True
        try:
            work()
            return True
        except (Temporary, Crash):
            return False
        except Exception:  # noqa: BLE001 - whatever it is, the seed shall tell it
            self.truth.surprises.append(traceback.format_exc())
            return False
        finally:
            self.weather.invoked = False

    # --- ECS ---------------------------------------------------------------------------------

    def ecs_acts(self) -> None:
        """Services get and lose workers, with delays."""
        for seen in self.services.describe(list(self.services.wanted())):
            live = [worker for worker in self.workers if worker.service == seen.name]
            if seen.status == "ACTIVE" and len(live) < seen.desired and not self.maybe(0.3):
                self._hatch(seen.name)
            idle = [worker for worker in live if not worker.busy]
            spare = len(live) - (seen.desired if seen.status == "ACTIVE" else 0)
            for worker in idle[: max(0, spare)]:
                if not self.maybe(0.3):
                    self._stop(worker, "ServiceSchedulerInitiated", 0)

    def _hatch(self, service: str) -> None:
        self._born += 1
        worker = Worker(name=f"w{self._born}", service=service, born_at=self.clock.now())
        self.workers.append(worker)
        self._sync(service)
        self._tell(worker, "RUNNING")
        if self.maybe(0.06):
            self.truth.stillborn.add(worker.name)
            self._stop(worker, "EssentialContainerExited", 1)

    def _stop(self, worker: Worker, stop_code: str, exit_code: int | None) -> None:
        unheard = (body for body in self.done.bodies() if '"started"' in body)
        if exit_code and any(f'"{worker.name}"' in body for body in unheard):
            self.truth.stillborn.add(worker.name)
        self.workers.remove(worker)
        self._sync(worker.service)
        self._tell(worker, "STOPPED", stop_code, exit_code)

    def _sync(self, service: str) -> None:
        count = sum(1 for worker in self.workers if worker.service == service)
        self.services.keep(service, count)
        self.services.hold_back(service, count)

    def _tell(
        self, worker: Worker, status: str, stop_code: str = "", exit_code: int | None = None
    ) -> None:
        detail: dict[str, Any] = {
            "taskArn": f"arn:aws:ecs:r:0:task/mayfly/{worker.name}",
            "group": f"service:{worker.service}",
            "lastStatus": status,
            "createdAt": worker.born_at,
        }
        if status == "STOPPED":
            containers = [] if exit_code is None else [{"name": "worker", "exitCode": exit_code}]
            detail |= {"stopCode": stop_code, "containers": containers}
            detail["stoppedAt"] = self.clock.now()
        self._send(self.ecs, json.dumps({"detail": detail}).encode())

    # --- workers -----------------------------------------------------------------------------

    def workers_act(self) -> None:
        """Each worker does one thing."""
        for worker in list(self.workers):
            if worker.task is None:
                self._receive(worker)
            elif worker.message is not None:
                self._beat(worker, worker.task, worker.message)

    def _receive(self, worker: Worker) -> None:
        for message in self.jobs.receive(wait_seconds=0):
            if self.maybe(0.05):
                self.jobs.duplicate(message.message_id)
            try:
                task = wire.decode(Task, message.body)
            except wire.Refusal:
                self.jobs.extend(message.handle, 0)
                return
            worker.task, worker.message = task, message
            worker.attempt, worker.left = self.world.dice.token(), self.chance.randint(0, 4)
            if task.grants_end_at and task.grants_end_at - self.clock.now() < 30:
                self._say(worker, r.Interrupted, reason="grant_expired")
                self._leave(worker)
                return
            if task.job_id is None:
                self._say(worker, r.Adopted, pool=POOL, recipe=task.recipe, source="host/x")
            self._say(worker, r.Started)

    def _beat(self, worker: Worker, task: Task, message: Message) -> None:
        if self.maybe(0.05):
            return  # frozen: not a word, no heartbeat
        try:
            self.jobs.extend(message.handle, limits.VISIBILITY_SECONDS)
        except HandleLost:
            worker.task = worker.message = None
            return
        if task.job_id and (control := self._control(task)) and control.order == "stop":
            self._leave(worker)
            return
        worker.left -= 1
        if self.maybe(0.25):
            self._misfortune(worker, task, message)
        elif worker.left < 0:
            self._encoded(worker, task)
        else:
            self._say(worker, r.Progressed, fraction=0.5)
            if self.maybe(0.1):
                self._say(worker, r.RenewalWanted)

    def _control(self, task: Task) -> Control | None:
        key = naming.control_key(task.job_id or "", task.task_id or "")
        found = self.store.get("media", key)
        return wire.decode(Control, found.body) if found else None

    def _misfortune(self, worker: Worker, task: Task, message: Message) -> None:
        match self.chance.choice(("vanish", "vanish", "spot", "bad", "unknown", "unknown", "end")):
            case "vanish":
                code = self.chance.choice(("SpotInterruption", "EssentialContainerExited"))
                self._stop(worker, code, 137)
            case "end":  # between the report and the deletion
                self._encoded(worker, task, leaves=False)
                self._stop(worker, "EssentialContainerExited", 137)
            case "spot":
                if task.job_id:
                    self._say(worker, r.Interrupted, reason="spot_interruption", busy_seconds=1.0)
                    self._leave(worker)
                else:
                    self.jobs.extend(message.handle, 0)
                self._stop(worker, "SpotInterruption", 0)
            case "bad":
                self._failed(worker, self.chance.choice(("not_media", "source_replaced")))
                self._leave(worker)
            case "unknown":
                self._failed(worker, "encoder_failed")
                last = message.receives >= limits.RECEIVES_MAX
                self.jobs.extend(message.handle, 0 if last else limits.RETRY_PAUSE_SECONDS)
                worker.task = worker.message = None

    def _failed(self, worker: Worker, code: str) -> None:
        self.truth.failed.append((self._job_of(worker), code))
        self._say(worker, r.Failed, code=code)

    def _encoded(self, worker: Worker, task: Task, *, leaves: bool = True) -> None:
        media = r.Media(container="mov")
        prefix = naming.work_prefix(self._job_of(worker), FIRST_TASK) + worker.attempt + "/"
        outputs = []
        for output in task.recipe.outputs:
            if task.job_id:
                self.store.put("media", prefix + output.file, worker.attempt.encode())
            key = prefix + output.file if task.job_id else ""
            facts: dict[str, Any] = {"size_bytes": 1, "sha256": "0", "media": media}
            outputs.append(r.Artifact(file=output.file, key=key, **facts))
        self._say(worker, r.Encoded, outputs=tuple(outputs), source=media, busy_seconds=2.0)
        if leaves:
            self._leave(worker)

    def _leave(self, worker: Worker) -> None:
        if worker.message is not None and not self.maybe(0.05):
            self.jobs.delete(worker.message.handle)
        worker.task = worker.message = None

    def _job_of(self, worker: Worker) -> str:
        assert worker.task is not None and worker.message is not None
        body = worker.message.body.encode()
        return worker.task.job_id or adopted_job_id(body, worker.message.message_id)

    def _say(self, worker: Worker, kind: Any, **fields: Any) -> None:
        assert worker.task is not None and worker.message is not None
        said = kind(
            job_id=self._job_of(worker),
            task_id=worker.task.task_id or FIRST_TASK,
            token=worker.task.token or adopted_token(worker.message.body.encode()),
            attempt=worker.attempt,
            at=self.clock.now(),
            worker=worker.name,
            service=worker.service,
            **fields,
        )
        self._send(self.done, wire.encode(said))
