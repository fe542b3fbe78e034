"""Whatever fails, when the faults stop every job ends once and nothing is left that costs money.

Each seed is a life of one stack under bad weather (`lives.py`). A seed that fails is replayed with
`LIVES=<seed> pytest tests/unit/test_random_lives.py`; `LIVES=<first>-<last>` runs many.
"""

import json
import logging
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from urllib.parse import unquote_plus

import pytest

from mayfly.contract import wire
from mayfly.contract.outcome import Outcome
from mayfly.core import limits, rows
from mayfly.core.identity import SourceObject
from mayfly.core.identity import job_id as job_id_of
from mayfly.core.rows import (
    ENDS,
    JobHead,
    JobState,
    PoolRow,
    TaskRow,
    TaskState,
    TenantRow,
    from_item,
)
from mayfly.perform.ports import Temporary
from tests.unit.given import RECIPE
from tests.unit.lives import POOL, Stack

SEEDS = range(60)
#: Steps of bad weather, and the time of fair weather in which everything must come to its end.
STORM_STEPS = 60
CALM_SECONDS = 4 * 3600
CALM_STEP_SECONDS = 20

WORKING = (JobState.QUEUED, JobState.RUNNING)


def _chosen() -> list[int]:
    asked = os.environ.get("LIVES", "")
    if not asked:
        return list(SEEDS)
    first, _, last = asked.partition("-")
    return list(range(int(first), int(last or first) + 1))


class Watcher:
    """Looks at the stack after every step, from outside."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self._ends: dict[str, JobState] = {}

    def heads(self) -> dict[str, JobHead]:
        """Every job."""
        found = self.stack.table.snapshot()
        return {
            key.pk[4:]: from_item(JobHead, item)
            for key, item in found.items()
            if key.pk.startswith("job#") and key.sk == "head"
        }

    def look(self) -> None:
        """What holds at all times outside of a transaction."""
        stack, heads = self.stack, self.heads()
        assert not stack.truth.surprises, stack.truth.surprises[0]
        working = sum(head.state in WORKING for head in heads.values())
        assert self.pool().open_jobs == working
        tenants = Counter(head.tenant for head in heads.values() if head.state in WORKING)
        counted = {row.tenant: row.open_jobs for row in self.tenants() if row.open_jobs}
        assert counted == dict(tenants)
        for job_id, head in heads.items():
            was = self._ends.get(job_id)
            assert was in (None, head.state), f"{job_id} was {was} and is {head.state}"
            if head.state in ENDS:
                self._ends[job_id] = head.state
        standing = {s.name for s in stack.services.tagged()}
        for worker in stack.workers:
            assert not worker.busy or worker.service in standing, "a busy worker's service went"

    def pool(self) -> PoolRow:
        """The pool's row."""
        (item,) = [
            i for k, i in self.stack.table.snapshot().items() if k == rows.pool_key(POOL)
        ] or [{}]
        return from_item(PoolRow, {"pool": POOL, **item})

    def untold(self) -> list[str]:
        """Uploads without a job, of those that stand in the bucket."""
        store, heads = self.stack.store, self.heads()
        return [
            f"the upload {listed.key} has no job"
            for listed in store.list("media", "uploads/")
            if _job_of(listed.key, listed.etag, listed.size_bytes) not in heads
        ]

    def tenants(self) -> list[TenantRow]:
        """The pool's tenants."""
        found = self.stack.table.snapshot()
        return [
            from_item(TenantRow, item)
            for key, item in found.items()
            if key.pk == f"pool#{POOL}" and key.sk.startswith("tenant#")
        ]

    def left(self) -> list[str]:
        """What is not yet as it must be in the end."""
        stack, pool = self.stack, self.pool()
        left = self.untold()
        left += [
            f"job {h.job_id} is {h.state}" for h in self.heads().values() if h.state not in ENDS
        ]
        left += [f"job {h.job_id} is untold" for h in self.heads().values() if not h.announced]
        left += [f"service {s.name}: {s}" for s in stack.services.tagged()]
        left += [f"worker {w.name} lives" for w in stack.workers]
        for queue in (stack.requests, stack.jobs, stack.dead, stack.done, stack.ecs):
            left += [f"{queue.name} holds {body[:80]}" for body in queue.bodies()]
        left += [f"tenant {row.tenant} is remembered" for row in self.tenants()]
        for item in stack.table.snapshot().values():
            if str(item.get("gpk", "")).startswith(("tasks#", rows.OPEN_JOBS)):
                left.append(f"{item['gpk']} shows {item}")
        if pool.open_jobs or pool.services or pool.broken_at or pool.foreign:
            left.append(f"the pool is {pool}")
        return left


def _live(seed: int) -> Watcher:
    stack = Stack(seed)
    watcher = Watcher(stack)
    for _ in range(STORM_STEPS):
        stack.clock.sleep(stack.chance.uniform(1, 30))
        stack.table.index_held = stack.maybe(0.3)
        if stack.chance.random() < 0.3:
            stack.user_acts()
        for act in stack.chance.sample((stack.invoke_all, stack.ecs_acts, stack.workers_act), 3):
            act()
            watcher.look()
    stack.weather.calm, stack.table.index_held = True, False
    for _ in range(CALM_SECONDS // CALM_STEP_SECONDS):
        stack.clock.sleep(CALM_STEP_SECONDS)
        for act in (stack.invoke_all, stack.ecs_acts, stack.workers_act):
            act()
            watcher.look()
        if not watcher.left():
            break
    return watcher


class _Surprises(logging.Handler):
    """What the use cases logged instead of raising, unless the world had refused."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and not isinstance(record.exc_info[1], Temporary):
            raise AssertionError(record.getMessage()) from record.exc_info[1]


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds over the uploads come within a storm, too, and before late events."""
    monkeypatch.setattr(limits, "RECONCILE_SECONDS", 240)
    monkeypatch.setattr(limits, "RECONCILE_GRACE_SECONDS", 60)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """A storm logs thousands of lines."""
    logger, surprises = logging.getLogger("mayfly"), _Surprises()
    logger.addHandler(surprises)
    logger.propagate = False
    yield
    logger.propagate = True
    logger.removeHandler(surprises)


@pytest.mark.parametrize("seed", _chosen())
def test_whatever_fails_every_job_ends_once_and_nothing_is_left(seed: int) -> None:
    watcher = _live(seed)
    assert watcher.left() == []
    judges = (_outcomes, _successes, _failures, _bills, _secrets)
    assert [wrong for judge in judges for wrong in judge(watcher)] == []


def _outcomes(watcher: Watcher) -> Iterator[str]:
    """One event id and one end a job; every request has a job, and every asker an answer."""
    stack, heads = watcher.stack, watcher.heads()
    told: dict[str, set[tuple[str, str]]] = defaultdict(set)
    answered: set[str] = set()
    for _, detail in stack.bus.published:
        outcome = wire.decode(Outcome, detail)
        told[outcome.job_id].add((outcome.event_id, outcome.state))
        answered.update(outcome.request_ids)
    for job_id, head in heads.items():
        if told[job_id] != {(f"{job_id}-{head.run}", head.state.value)}:
            yield f"{job_id} is {head.state}, and told was {told[job_id]}"
    for request_id in sorted(stack.truth.request_ids - answered):
        yield f"{request_id} has no answer"
    for note in stack.notes:
        thing = json.loads(note)["Records"][0]["s3"]["object"]
        if _job_of(unquote_plus(thing["key"]), thing["eTag"], thing["size"]) not in heads:
            yield f"the upload {thing} has no job"


def _job_of(key: str, etag: str, size_bytes: int) -> str:
    source = SourceObject(bucket="media", key=key, etag=etag, size_bytes=size_bytes)
    return job_id_of("default", source, RECIPE, 1)


def _tasks(watcher: Watcher, job_id: str) -> list[TaskRow]:
    return [from_item(TaskRow, item) for item in watcher.stack.table.rows(f"job#{job_id}", "task#")]


def _successes(watcher: Watcher) -> Iterator[str]:
    """What was published is whole, and of one attempt."""
    store = watcher.stack.store
    for job_id, head in watcher.heads().items():
        if head.state is not JobState.SUCCEEDED:
            continue
        (task,) = _tasks(watcher, job_id)
        if task.state is not TaskState.DONE:
            yield f"{job_id} succeeded with a task that is {task.state}"
        if head.adopted:
            continue
        keys = [key for key in store.keys("media", "outputs/") if f"/{job_id}/" in key]
        attempts = {found.body for key in keys if (found := store.get("media", key))}
        if len(keys) != len(task.artifacts) or len(attempts) != 1:
            yield f"{job_id} published {keys} of {len(attempts)} attempts"


def _failures(watcher: Watcher) -> Iterator[str]:
    """Nobody's job ends badly without its reason."""
    truth = watcher.stack.truth
    failures = Counter(truth.failed)
    for job_id, head in watcher.heads().items():
        if head.failure is None or not head.pool:
            continue
        code, letters = head.failure.code, len(truth.letters[job_id])
        told = [line for task in _tasks(watcher, job_id) for line in task.story]
        silences = sum("TaskWentSilent" in line for line in told)
        workers = letters * limits.RECEIVES_MAX + silences
        lost = workers >= limits.LOST_WORKERS_MAX or (head.adopted and letters > 0)
        reasons = {
            "cancelled": job_id in truth.cancelled,
            "pool_broken": len(truth.stillborn) >= limits.CRASHES_MAX,
            "worker_lost": lost,
            "encoder_failed": failures[job_id, code] >= limits.UNKNOWN_TRIES_MAX or lost,
        }
        if not reasons.get(code, failures[job_id, code] > 0):
            yield f"wrongly {code}, {letters} letters, {silences} silences: {head}"


def _bills(watcher: Watcher) -> Iterator[str]:
    """No receipt waits for ever for a worker that has stopped."""
    for key, item in watcher.stack.table.snapshot().items():
        if key.sk.startswith("billed#") and item.get("stopped_at") is None:
            yield f"{key} is billed for ever"


def _secrets(watcher: Watcher) -> Iterator[str]:
    told = repr(watcher.stack.table.snapshot()) + repr(watcher.stack.bus.published)
    if "signature=" in told or "s3.amazonaws.com" in told:
        yield "a signed URL was written down"
