"""The laws, each held by an observer of its own that knows nothing of the code under test.

They look at rows as they are committed, at objects as they are stored and at machines as they are
stopped; `Judges` of the end stand in `verdict.py`. An observer never changes anything.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from mayfly.contract import wire
from mayfly.contract.outcome import Outcome
from mayfly.core import limits
from mayfly.core.changes import Key
from mayfly.core.rows import pool_key, tenant_key
from tests.simulation.fleet import EcsTask
from tests.simulation.kinds import Kind
from tests.simulation.people import BUCKET
from tests.simulation.scheduler import Process
from tests.simulation.stack import POOL, Stack

Row = Mapping[str, Any]

ENDS = frozenset({"succeeded", "failed", "cancelled", "superseded"})
WORKING = frozenset({"queued", "running", "finishing"})

#: Each of six lost workers may have had a twin, since messages are delivered twice, and a second
#: one, while the news of the last loss was late.
_KILLS_MAX = 4 * limits.LOST_WORKERS_MAX


#: A worker of the pool: 2 vCPU and 4 GiB with an address (AWS's price list, November 2026).
_VCPU = 2
_DOLLARS_PER_HOUR = {
    "FARGATE_SPOT": 2 * 0.01334053 + 4 * 0.00146489 + 0.005,
    "FARGATE": 2 * 0.04048 + 4 * 0.004445 + 0.005,
}


class Observer(Protocol):
    """Sees each committed row."""

    def row(self, key: Key, row: Row | None) -> str:
        """What is wrong with it, or nothing."""

    def settled(self) -> str:
        """After all rows of one transaction: what is wrong, or nothing."""


class Ends:
    """An end is the end: no job leaves it, and none goes back to an earlier state."""

    _ORDER: Sequence[str] = ("queued", "running", "finishing", "publishing")

    def __init__(self) -> None:
        self._was: dict[str, str] = {}

    def row(self, key: Key, row: Row | None) -> str:
        if key.sk != "head" or not key.pk.startswith("job#") or row is None:
            return ""
        was, now = self._was.get(key.pk), str(row["state"])
        self._was[key.pk] = now
        if was is None or was == now:
            return ""
        if was in ENDS:
            return f"{key.pk} was {was} and is {now}"
        if now not in ENDS and self._ORDER.index(now) < self._ORDER.index(was):
            return f"{key.pk} went back from {was} to {now}"
        return ""

    def settled(self) -> str:
        return ""


class Counters:
    """Counters equal what they count, after every transaction."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        #: Jobs that have work for the pool, and whose they are.
        self._working: dict[str, str] = {}
        self._open: dict[str, set[str]] = {}
        #: Attempts by task, and by job.
        self._attempts: dict[Key, int] = {}
        self._tried: Counter[str] = Counter()
        self._touched: set[str] = set()
        self._tenants: set[str] = set()

    def row(self, key: Key, row: Row | None) -> str:
        if row is None or not key.pk.startswith("job#"):
            return ""
        if key.sk == "head":
            self._touched.add(key.pk)
            self._tenants.add(row["tenant"])
            if row["state"] in WORKING:
                self._working[key.pk] = row["tenant"]
            else:
                self._working.pop(key.pk, None)
        elif key.sk.startswith("task#"):
            self._touched.add(key.pk)
            tasks = self._open.setdefault(key.pk, set())
            (tasks.discard if row["state"] == "done" else tasks.add)(key.sk)
            self._tried[key.pk] += row["attempts"] - self._attempts.get(key, 0)
            self._attempts[key] = row["attempts"]
            if row["state"] == "done" and not row["attempts"]:
                return f"{key} is done, and nobody was at it"
        return ""

    def settled(self) -> str:
        touched, self._touched = self._touched, set()
        for pk in touched:
            head = self._stack.table.peek(Key(pk, "head"))
            if head is None or head["state"] in ENDS:
                continue
            unopened = int(head.get("parts", 0)) - int(head.get("opened", 0))
            open_tasks = len(self._open.get(pk, ())) + max(0, unopened)
            if head["open_tasks"] != open_tasks:
                return f"{pk} counts {head['open_tasks']} open tasks, and has {open_tasks}"
            if head["attempts"] != self._tried[pk]:
                return f"{pk} counts {head['attempts']} attempts, and has {self._tried[pk]}"
        pool = self._stack.table.peek(pool_key(POOL)) or {}
        counted = pool.get("open_jobs", 0)
        if counted != len(self._working):
            return f"the pool counts {counted} open jobs, and has {len(self._working)}"
        theirs = Counter(self._working.values())
        for tenant in sorted(self._tenants):
            row = self._stack.table.peek(tenant_key(POOL, tenant)) or {}
            if row.get("open_jobs", 0) != theirs[tenant]:
                counted = row.get("open_jobs", 0)
                return f"{tenant} is counted {counted} open jobs, and has {theirs[tenant]}"
        return ""


class Commits:
    """At most one commit per task: what is committed is of one attempt, and never changes."""

    def __init__(self) -> None:
        self._committed: dict[Key, Any] = {}

    def row(self, key: Key, row: Row | None) -> str:
        if not key.sk.startswith("task#") or row is None:
            return ""
        was = self._committed.get(key)
        if was is not None and (row["state"] != "done" or row["artifacts"] != was):
            return f"{key} was committed, and was changed"
        if row["state"] != "done" or was is not None:
            return ""
        self._committed[key] = row["artifacts"]
        prefixes = {str(a["key"]).rpartition("/")[0] for a in row["artifacts"]}
        return f"{key} mixes attempts: {prefixes}" if len(prefixes) > 1 else ""

    def settled(self) -> str:
        return ""


class Backups:
    """A second attempt is asked for beside one at work at a chunk, one at a time, a few times in
    a task's life: that bounds what stragglers cost."""

    def __init__(self, stack: Stack) -> None:
        self._trouble = stack.trouble
        self._lagging: dict[Key, str] = {}
        self._asked: Counter[Key] = Counter()

    def row(self, key: Key, row: Row | None) -> str:
        if not key.sk.startswith("task#") or row is None:
            return ""
        was, now = self._lagging.get(key, ""), str(row.get("lagging", ""))
        self._lagging[key] = now
        if now in ("", was):
            return ""
        self._asked[key] += 1
        self._trouble.happened(Kind.WORKER_BACKED_UP)
        if was or row["kind"] != "chunk" or row["state"] != "running":
            return f"a second worker is asked for {key}, which is {row['kind']}, {row['state']}"
        if self._asked[key] > limits.BACKUPS_MAX:
            return f"a second worker is asked for {key} {self._asked[key]} times"
        return ""

    def settled(self) -> str:
        return ""


class Times:
    """No row tells of what is yet to come: our functions' clocks are right here, and workers',
    which are not, must decide nothing."""

    def __init__(self, stack: Stack) -> None:
        self._scheduler = stack.scheduler

    def row(self, key: Key, row: Row | None) -> str:
        if row is None or not key.pk.startswith("job#"):
            return ""
        for name in ("accepted_at", "updated_at", "ended_at", "released_at", "reported_at"):
            if (row.get(name) or 0.0) > self._scheduler.now:
                return f"{key.pk} {key.sk} has a time that is yet to come: {name}"
        return ""

    def settled(self) -> str:
        return ""


class Secrets:
    """No signed URL and no token of a task's leaves the rows and messages they belong to."""

    def row(self, key: Key, row: Row | None) -> str:
        if row is not None and b"signature=" in msgspec.json.encode(row):
            return f"{key} holds a signed URL"
        return ""

    def settled(self) -> str:
        return ""


class Outputs:
    """What is delivered is what the encoder makes of the source, and stays so."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._seen: dict[str, bytes] = {}

    def look(self) -> str:
        """After each copy."""
        for key in self._stack.store.keys(BUCKET, "outputs/"):
            found = self._stack.store.get(BUCKET, key)
            if found is None or key.endswith("latest.json"):
                continue
            was = self._seen.setdefault(key, found.body)
            if was != found.body:
                return f"{key} was delivered, and was changed"
        return ""


class Outcomes:
    """An outcome is true when it is told: who hears of success finds every output."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def look(self) -> str:
        """After each event."""
        _, detail = self._stack.bus.published[-1]
        outcome = wire.decode(Outcome, detail)
        for output in outcome.outputs:
            if output.key and self._stack.store.get(BUCKET, output.key) is None:
                return f"job {outcome.job_id} was told to be a success without its {output.file}"
        return ""


class Hatching:
    """Workers are hatched for work: an open job, or a task that somebody brought themselves.

    A planner may be late, and have read of work that is done by then; one that was not even born
    when the last work ended has no excuse.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._is_work = False
        self._worked_at = stack.scheduler.now

    def look(self, created_by: Process | None) -> str:
        """After each change, and after each call that created a service."""
        stack, was_work = self._stack, self._is_work
        pool = stack.table.peek(pool_key(POOL)) or {}
        theirs = stack.people.asked.brought.intersection(stack.jobs.memory.bodies())
        self._is_work = pool.get("open_jobs", 0) > 0 or bool(theirs)
        # What there was at the last look there was until now.
        if self._is_work or was_work:
            self._worked_at = stack.scheduler.now
        if created_by is None or created_by.born_at <= self._worked_at:
            return ""
        return "a service was created though nothing was to be done"


class Means:
    """What a pool asks for is within its account's processors, and costs no more than it may.

    Workers on services that leave, or that ECS does not show, are beside that: nobody asks for
    them any more.
    """

    def __init__(self, stack: Stack) -> None:
        self._options = stack.options

    def row(self, key: Key, row: Row | None) -> str:
        if key != pool_key(POOL) or row is None:
            return ""
        asked = {"FARGATE_SPOT": 0, "FARGATE": 0}
        for service in row.get("services", {}).values():
            if service["missed_at"] is None and service["deleted_at"] is None:
                asked[service["capacity_provider"]] += service["asked"]
        options = self._options
        if max(asked.values()) > options.workers_max:
            return f"a pool of {options.workers_max} workers asks for {asked}"
        if 0 < options.vcpu_quota < _VCPU * max(asked.values()):
            return f"{asked} workers are asked for, and {options.vcpu_quota} vCPU are there"
        dollars = sum(count * _DOLLARS_PER_HOUR[kind] for kind, count in asked.items())
        if 0 < options.dollars_per_hour_max < dollars:
            return f"{asked} workers cost ${dollars:.3f} an hour"
        return ""

    def settled(self) -> str:
        return ""


class Watch:
    """All observers, told of what happens."""

    def __init__(self, stack: Stack) -> None:
        self.violations: list[str] = []
        self._stack = stack
        self._observers: tuple[Observer, ...] = (
            Ends(),
            Counters(stack),
            Commits(),
            Backups(stack),
            Secrets(),
            Times(stack),
            Means(stack),
        )
        self._outputs, self._outcomes = Outputs(stack), Outcomes(stack)
        self._hatching = Hatching(stack)
        stack.trouble.on_effect.append(self._effect)
        stack.trouble.on_wrong = self.found
        stack.fleet.on_stopped_at_work = self._stopped_at_work
        stack.truth.on_kill = self._killed

    def found(self, wrong: str) -> None:
        """One violation, kept."""
        if wrong:
            self._stack.trouble.tell(f"VIOLATION {wrong}")
            self.violations.append(wrong)
            self._stack.scheduler.halt()

    def _effect(self, action: str, process: Process) -> None:
        if action == "table.commit":
            for key in process.commits:
                row = self._stack.table.peek(key)
                for observer in self._observers:
                    if wrong := observer.row(key, row):
                        self.found(wrong)
            for observer in self._observers:
                if wrong := observer.settled():
                    self.found(wrong)
            self.found(self._hatching.look(None))
        elif action == "store.copy":
            self.found(self._outputs.look())
        elif action == "bus.publish":
            self.found(self._outcomes.look())
        elif action == "services.create":
            self.found(self._hatching.look(process))

    def _stopped_at_work(self, task: EcsTask) -> None:
        self.found(f"{task.name} was stopped by us while it worked on {task.busy_with}")

    def _killed(self, kills: int) -> None:
        if kills > _KILLS_MAX:
            self.found(f"one task has killed {kills} workers, and is still given to others")
