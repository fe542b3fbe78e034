"""One seed's life: faults first, then everything heals and progress is demanded."""

import dataclasses
import hashlib
import logging
import traceback
from collections import Counter
from unittest import mock

from mayfly.core import limits
from tests.simulation.idleness import Idleness
from tests.simulation.kinds import Kind
from tests.simulation.observers import Watch
from tests.simulation.options import Options
from tests.simulation.stack import Stack
from tests.simulation.verdict import judged, pending, stuck

#: In this time everything must have come to its end once faults stop.
CALM_SECONDS = 12 * 3600.0
#: How often it is asked whether everything has.
_ASK_SECONDS = 15.0
#: Every so many seeds the log is read for secrets; reading it costs a third of a life.
_LISTENED = 10
#: More steps than any life needs; a loop without an end is a violation.
_STEPS_MAX = 400_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What became of a seed."""

    seed: int
    options: Options
    violations: tuple[str, ...]
    fired: Counter[Kind]
    steps: int
    seconds: float
    jobs: int
    ends: Counter[str]
    #: Port calls by (who, action).
    calls: Counter[tuple[str, str]]
    #: What Fargate bills: from asking for a machine to its end, a minute at least.
    billed_seconds: float
    #: Machines that there were.
    machines: int
    trace: list[tuple[float, str, str]]
    began: float

    def hash(self) -> str:
        """The same for the same seed, wherever and whenever it runs."""
        told = "\n".join(f"{at:.6f} {who} {what}" for at, who, what in self.trace)
        return hashlib.sha256(told.encode()).hexdigest()


def live(seed: int, requests: int | None = None) -> Life:
    """One life, from its seed alone."""
    stack = Stack(seed, requests)
    stack.people.plan()
    return lived(stack)


def lived(stack: Stack) -> Life:
    """A life whose people have their plans."""
    seed = stack.options.seed
    watch = Watch(stack)
    logger = logging.getLogger("mayfly")
    was = logger.level, logger.propagate
    logger.addHandler(stack.ears)
    logger.propagate = False
    logger.setLevel(logging.INFO if seed % _LISTENED == 0 else logging.WARNING)
    options = stack.options
    try:
        with (
            mock.patch.object(limits, "RECONCILE_SECONDS", options.round_seconds),
            mock.patch.object(limits, "RECONCILE_GRACE_SECONDS", options.grace_seconds),
        ):
            _live(stack, watch)
    finally:
        stack.scheduler.end()
        logger.removeHandler(stack.ears)
        logger.level, logger.propagate = was
    watch.violations += [f"logged instead of raised:\n{told}" for told in stack.ears.surprises]
    for process, error in stack.surprises:
        told = "".join(traceback.format_exception(error)).strip()
        watch.violations.append(f"{process.name} raised what nobody expects:\n{told}")
    return Life(
        seed=seed,
        options=stack.options,
        violations=tuple(watch.violations),
        fired=stack.trouble.fired,
        steps=stack.scheduler.steps,
        seconds=stack.scheduler.now - stack.scheduler.began,
        jobs=len(stack.job_ids()),
        calls=stack.trouble.calls,
        ends=stack.ends(),
        billed_seconds=stack.fleet.billed_seconds(),
        machines=len(stack.fleet.tasks),
        trace=stack.trouble.trace,
        began=stack.scheduler.began,
    )


def _live(stack: Stack, watch: Watch) -> None:
    scheduler = stack.scheduler
    stack.lambdas.tick()
    _weather_the_storm(stack, watch)
    if watch.violations or stack.surprises:
        return
    stack.calm_down()
    healed_at, idleness = scheduler.now, Idleness(stack)
    while why := pending(stack):
        if watch.violations or stack.surprises:
            return
        if scheduler.now - healed_at > CALM_SECONDS * (1 + stack.people.asked.slow):
            watch.found(f"12 h after the last fault it is not done: {why}{stuck(stack)}")
            return
        watch.found(idleness.look())
        _run_until(stack, watch, scheduler.now + _ASK_SECONDS)
    for wrong in judged(stack):
        watch.found(wrong)


def _weather_the_storm(stack: Stack, watch: Watch) -> None:
    scheduler, options = stack.scheduler, stack.options
    ends_at = scheduler.began + options.arrivals_seconds + options.storm_seconds
    # Asked between two ticks, since an invocation that is under way counts as something to do.
    busy_at = asked_at = scheduler.now + limits.TICK_SECONDS / 2
    while scheduler.now < ends_at and scheduler.now - busy_at < options.idle_seconds:
        if watch.violations or stack.surprises:
            return
        _run_until(stack, watch, min(ends_at, asked_at))
        asked_at += limits.TICK_SECONDS
        if pending(stack):
            busy_at = scheduler.now


def _run_until(stack: Stack, watch: Watch, moment: float) -> None:
    if watch.violations or stack.surprises:
        return
    stack.scheduler.run(moment, _STEPS_MAX)
    if stack.scheduler.steps >= _STEPS_MAX:
        watch.found(f"more than {_STEPS_MAX} steps")
