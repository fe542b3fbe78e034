"""What must be true when everything has come to rest. Each judge yields what is wrong."""

import functools
import json
from collections import Counter, defaultdict
from collections.abc import Iterator

from mayfly.contract import wire
from mayfly.contract.outcome import Outcome
from mayfly.core import limits
from mayfly.core.changes import Key
from mayfly.core.identity import SourceObject, job_id
from mayfly.core.rows import OPEN_JOBS, JobHead, TaskRow, TaskState, from_item, pool_key
from tests.simulation import craft
from tests.simulation.kinds import Kind
from tests.simulation.observers import ENDS
from tests.simulation.people import BUCKET, PRESET
from tests.simulation.stack import POOL, Stack
from tests.simulation.truth import THEIRS, etag_of

__all__ = ["judged", "pending", "stuck"]


def heads(stack: Stack) -> dict[str, JobHead]:
    """Every job."""
    found = {}
    for ident in stack.job_ids():
        item = stack.table.peek(Key(f"job#{ident}", "head"))
        if item is not None:
            found[ident] = from_item(JobHead, item)
    return found


def pending(stack: Stack) -> str:
    """Why not everything is done; empty when it is."""
    if stack.people.outstanding:
        return f"{stack.people.outstanding} things are still on their way from people"
    # Asked four times a minute: rows are looked at as they are.
    known = stack.job_ids()
    for ident in known:
        head = stack.table.peek(Key(f"job#{ident}", "head")) or {}
        if head["state"] not in ENDS:
            return f"job {ident[:6]} is {head['state']}"
        if not head["announced"]:
            return f"the outcome of job {ident[:6]} was not announced"
    for key, body in owed(stack):
        if job_of_upload(key, body) not in known:
            return f"the upload {key} ({body.decode()}) has no job yet"
    for line in (stack.requests, stack.done, stack.jobs, stack.jobs_dead, stack.requests_dead):
        if bodies := line.memory.bodies():
            return f"{len(bodies)} messages are on {line.name}; {_machines(stack)}"
    for name in stack.services.wanted():
        seen = stack.services.peek(name)
        if seen is not None and seen.status != "INACTIVE":
            return f"service {name} is {seen.status}: desired {seen.desired}, runs {seen.running}"
    if alive := stack.fleet.alive:
        return f"{len(alive)} ECS tasks are alive"
    pool = stack.table.peek(pool_key(POOL)) or {}
    if pool.get("services"):
        return f"the pool still names services: {sorted(pool['services'])}"
    if pool.get("broken_at") or pool.get("foreign"):
        return f"the pool is broken, or believes in a task of somebody's own: {pool}"
    if tenants := [key.sk for key in stack.table.keys_of(f"pool#{POOL}") if key.sk != "head"]:
        return f"the pool still knows {tenants}"
    if stack.events.memory.bodies():
        return "task events are on their way"
    if stack.lambdas.running:
        return "an invocation is under way"
    return ""


def stuck(stack: Stack) -> str:
    """What holds a job up: its tasks that are not done, and who could do them."""
    unfinished = [head for head in heads(stack).values() if head.state not in ENDS]
    return f": {_left_of(stack, unfinished[0])}" if unfinished else ""


def _left_of(stack: Stack, head: JobHead) -> str:
    left = [row for row in _tasks(stack, head.job_id) if row.state is not TaskState.DONE]
    told = [f"{head.open_tasks} open tasks"]
    for row in left[:1]:
        stage = f" ({row.stage})" if row.stage else ""
        told.append(
            f"{row.task_id} is {row.state}{stage} after {row.attempts} attempts, of which "
            f"{row.interruptions} were interrupted, {row.failures} failed and {row.lost} were lost "
            "with their workers"
        )
    told.append(_machines(stack))
    return "; ".join(told)


def _tasks(stack: Stack, ident: str) -> list[TaskRow]:
    keys = stack.table.keys_of(f"job#{ident}")
    rows = [stack.table.peek(key) for key in keys if key.sk.startswith("task#")]
    return [from_item(TaskRow, row) for row in rows]


def _machines(stack: Stack) -> str:
    kinds = Counter("Spot" if task.spot else "on-demand" for task in stack.fleet.alive)
    return f"machines: {dict(kinds) or 'none'}"


def judged(stack: Stack) -> Iterator[str]:
    """Everything that is wrong at the end."""
    judges = (_outcomes, _once, _brought, _successes, _failures, _index, _bills, _leftovers, _told)
    for judge in judges:
        yield from judge(stack)


def _outcomes(stack: Stack) -> Iterator[str]:
    """The outcome fires exactly once in effect: one id, one state; and everybody is answered."""
    told: dict[str, set[tuple[str, str]]] = defaultdict(set)
    answered: set[str] = set()
    for _, detail in stack.bus.published:
        outcome = wire.decode(Outcome, detail)
        told[outcome.job_id].add((outcome.event_id, outcome.state))
        answered.update(outcome.request_ids)
    for ident, head in heads(stack).items():
        if told[ident] != {(f"{ident}-{head.run}", head.state.value)}:
            yield f"job {ident} is {head.state}, and told was {told[ident]}"
    for request_id in sorted(stack.people.asked.request_ids - answered):
        yield f"{request_id} has no answer"


def _once(stack: Stack) -> Iterator[str]:
    """What was asked for once is done once, however often it was told; what was put back after
    something else had stood in its place, is asked for once more."""
    put = Counter((key, etag_of(body)) for key, body in stack.people.asked.uploads)
    runs: Counter[tuple[str, str, str, str]] = Counter()
    for ident, head in heads(stack).items():
        spec = stack.table.peek(Key(f"job#{ident}", "spec"))
        if spec is not None and head.pool and not head.adopted:
            source = spec["source"]
            runs[source["key"], source["etag"], head.tenant, spec["recipe"]] += 1
    for (key, etag, _, _), times in runs.items():
        if times > max(1, put[key, etag]) + stack.people.asked.again:
            yield f"{key} was asked for once, and done {times} times"


def _brought(stack: Stack) -> Iterator[str]:
    """Whoever put a task of their own onto the queue learns how it ended."""
    for ident in sorted(stack.people.asked.brought_jobs - heads(stack).keys()):
        yield f"a task that somebody brought was taken, and has no outcome: {ident}"


def owed(stack: Stack) -> Iterator[tuple[str, bytes]]:
    """Uploads that must lead to a job: all that S3 told of, and those that are still there."""
    asked = stack.people.asked
    for key, body in asked.uploads:
        there = stack.store.get(BUCKET, key)
        if (key, body) not in asked.untold or (there is not None and there.body == body):
            yield key, body


@functools.lru_cache(maxsize=1000)
def job_of_upload(key: str, body: bytes) -> str:
    """The job that an upload must have led to."""
    source = SourceObject(bucket=BUCKET, key=key, etag=etag_of(body), size_bytes=len(body))
    return job_id("default", source, PRESET, 1)


def _successes(stack: Stack) -> Iterator[str]:
    """Outputs appear whole or not at all, and equal their spec."""
    by_etag = {etag_of(body): body for _, body in stack.people.asked.uploads}
    for ident, head in heads(stack).items():
        keys = [k for k in stack.store.keys(BUCKET, "outputs/") if f"/{ident}/" in k]
        if head.state != "succeeded" or head.adopted:
            if keys and head.state not in ("succeeded", "failed"):
                yield f"job {ident} is {head.state} and has outputs: {keys}"
            continue
        left = [row.task_id for row in _tasks(stack, ident) if row.state is not TaskState.DONE]
        if left:
            yield f"job {ident} succeeded, and these tasks are not done: {left}"
        spec = stack.table.peek(Key(f"job#{ident}", "spec"))
        assert spec is not None
        recipe = json.loads(spec["recipe"])
        files = [output["file"] for output in recipe["outputs"]]
        source = by_etag[spec["source"]["etag"]]
        for file in files:
            (found,) = [k for k in keys if k.endswith(f"/{file}")] or [""]
            stored = stack.store.get(BUCKET, found) if found else None
            if stored is None:
                yield f"job {ident} succeeded without its {file}"
            elif wrong := _wrong_with(stored.body, source, file, head, spec["recipe"].encode()):
                yield f"job {ident} succeeded, and its {file} is not its spec's: {wrong}"
        if len(keys) != len(files):
            yield f"job {ident} delivered {keys}"


def _wrong_with(body: bytes, source: bytes, file: str, head: JobHead, recipe: bytes) -> str:
    if head.parts > 1:
        words = source.split()
        if len(words) < 4:
            return "it was joined of parts, and its source has none"
        tracks = int(words[3])
        return craft.wrong_with(body, source, file, tracks)
    return craft.wrong_with_whole(body, craft.whole(source, file, recipe))


def _failures(stack: Stack) -> Iterator[str]:
    """Nobody's job ends badly without a reason that really was."""
    truth, fired = stack.truth, stack.trouble.fired
    lost = truth.deaths + fired[Kind.WORKER_FROZEN] + fired[Kind.SQS_EXPIRED] > 0
    for ident, head in heads(stack).items():
        if head.failure is None or not head.pool:
            continue
        source = THEIRS if head.adopted else ident
        really = {
            "cancelled": ident in stack.people.asked.cancelled,
            "pool_broken": len(stack.fleet.stillborn) + truth.deaths >= limits.CRASHES_MAX,
            # Looks at leftovers receive a user's own message too, and may die with it.
            "worker_lost": lost or (head.adopted and fired[Kind.SQS_DEAD_LETTER] > 0),
            "worker_failed": lost,
            "encoder_failed": truth.failed[source] > 0,
            "not_media": "text" in truth.sources.get(source, ()),
            "source_unreadable": fired[Kind.S3_CUT_OFF] + fired[Kind.S3_REFUSED] > 0,
            "time_limit": "slow" in head.source,
            "source_replaced": fired[Kind.S3_OVERWRITTEN] > 0
            or len(stack.people.asked.uploads) > 1,
        }
        if not really.get(head.failure.code, False):
            yield f"job {ident} failed wrongly: {head.failure}"


def _index(stack: Stack) -> Iterator[str]:
    """Nothing is left in the indexes of open work."""
    for key, row in stack.table.snapshot().items():
        place = str(row.get("gpk", ""))
        if place == OPEN_JOBS or place.startswith("tasks#"):
            yield f"{key} is still in {place}"


def _bills(stack: Stack) -> Iterator[str]:
    """Unless ECS never told, no receipt waits for ever for a worker that has stopped."""
    if stack.trouble.fired[Kind.ECS_EVENT_LOST] or stack.events_dead.memory.bodies():
        return
    for key, row in stack.table.snapshot().items():
        if key.sk.startswith("billed#") and row.get("stopped_at") is None:
            yield f"that {key.sk} has stopped was told, and not noted: it is billed for ever"


def _leftovers(stack: Stack) -> Iterator[str]:
    """What nobody asked for fades: the bucket's rule lets go of what lies under one prefix."""
    for key in stack.store.keys(BUCKET):
        if not key.startswith(("uploads/", "outputs/", "work/")):
            yield f"{key} is kept for ever, and nobody asked for it"


def _told(stack: Stack) -> Iterator[str]:
    """No secret in what was published or logged."""
    for _, detail in stack.bus.published:
        if b"signature=" in detail:
            yield "an outcome holds a signed URL"
    if stack.ears.secrets:
        yield f"a log line holds a signed URL: {stack.ears.secrets[0]}"
