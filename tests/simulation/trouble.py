"""What goes wrong at the ports, and how often it did.

The ports in memory ask before and after each call (`mayfly.memory.faults`); here the asking process
is suspended, cut off or refused. In fair weather nothing strikes; time passes all the same.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

from mayfly.memory.branches import Deleting
from mayfly.memory.faults import Faults
from mayfly.perform.ports import Temporary
from tests.simulation.kinds import Kind
from tests.simulation.options import Options
from tests.simulation.scheduler import Killed, Process, Scheduler

T = TypeVar("T")

#: The kind that refuses a call, by port.
_REFUSED = {
    "queue": Kind.SQS_REFUSED,
    "store": Kind.S3_REFUSED,
    "services": Kind.ECS_REFUSED,
    "table": Kind.TABLE_THROTTLED,
}
_ANSWER_LOST = {
    "queue": Kind.SQS_ANSWER_LOST,
    "store": Kind.S3_ANSWER_LOST,
    "services": Kind.ECS_ANSWER_LOST,
    "table": Kind.TABLE_ANSWER_LOST,
}

#: What it is called when a port takes a branch that its documents leave open.
_TOOK = {
    "copies_rate": Kind.SQS_DUPLICATE,
    "missed_rate": Kind.SQS_MISSED,
    "unheard_rate": Kind.SQS_MISSED,
    "in_order": Kind.SQS_REORDER,
    "depth_lag_seconds": Kind.SQS_COUNT_LAGS,
    "index_lag_seconds": Kind.TABLE_INDEX_LAGS,
    "throttled_rate": Kind.TABLE_THROTTLED,
    "service_unseen_seconds": Kind.ECS_CREATE_LATE,
    "service_calls_left": Kind.ECS_THROTTLED,
}
#: The longest that a slow call takes.
_SLOW_SECONDS = 4.0
_STALE_DELETE = {
    Deleting.DELETES: Kind.SQS_STALE_DELETE_DELETES,
    Deleting.IGNORED: Kind.SQS_STALE_DELETE_NOTHING,
    Deleting.REFUSED: Kind.SQS_STALE_DELETE_REFUSED,
}

#: Create, Update and DeleteService share 5 calls/s in an account (ECS service quotas).
_ECS_CALLS_A_SECOND = 5
_ECS_SHARED = frozenset({"services.create", "services.resize", "services.delete"})


class Chosen(Faults):
    """For a port whose calls somebody else lets through or not: only what it chose is told."""

    def __init__(self, trouble: "Trouble") -> None:
        self._trouble = trouble

    def took(self, branch: str, value: object) -> None:
        """A port chose between two ways that its documents leave open."""
        self._trouble.took(branch, value)


class Trouble(Faults):
    """The weather of one life, and its log."""

    def __init__(self, options: Options, rng: random.Random, scheduler: Scheduler) -> None:
        self.calm = False
        self.fired: Counter[Kind] = Counter()
        #: Port calls by (who: a kind of invocation, or a worker; action).
        self.calls: Counter[tuple[str, str]] = Counter()
        #: Moment, who, what: everything that happened, for the trace and its hash.
        self.trace: list[tuple[float, str, str]] = []
        #: Until when each account's processes stand still.
        self.frozen: dict[str, float] = {}
        #: Told of each effect at once, before anything else can happen.
        self.on_effect: list[Callable[[str, Process], None]] = []
        #: Told of what must not happen, by whoever sees it.
        self.on_wrong: Callable[[str], None] = lambda wrong: None
        self._options, self._rng, self._scheduler = options, rng, scheduler
        self._ecs_second, self._ecs_calls = 0, 0

    def strike(self, kind: Kind) -> bool:
        """Whether this misfortune happens now; counted."""
        if not self.looms(kind):
            return False
        self.happened(kind)
        return True

    def looms(self, kind: Kind) -> bool:
        """Whether it shall happen as soon as it can; whoever makes it happen counts it."""
        rate = self._options.rates[kind]
        return not self.calm and rate > 0 and self._rng.random() < rate

    def choice(self, among: Sequence[T]) -> T:
        """One of several."""
        return self._rng.choice(among)

    def uniform(self, span: float) -> float:
        """Between 0 and `span`."""
        return self._rng.random() * span

    def expovariate(self, rate: float) -> float:
        """The time to something without a memory."""
        return self._rng.expovariate(rate)

    def happened(self, kind: Kind) -> None:
        """It did, by itself."""
        self.fired[kind] += 1

    def tell(self, what: str) -> None:
        """One line of the trace."""
        process = self._scheduler.current
        self.trace.append((self._scheduler.now, process.name if process else "world", what))

    def before(self, action: str) -> None:
        """A call sets out."""
        process = self._scheduler.current
        if process is None:
            return
        if process.dead:
            raise Killed
        account = process.account
        invoked = account.startswith("lambda")
        self.calls[account if invoked else "worker", action] += 1
        self.trace.append((self._scheduler.now, process.name, action))
        self._pass_time(account)
        if action in _ECS_SHARED:
            self._throttle(action)
        if self.calm:
            return
        if invoked:
            self._cut_off(process)
        port = action.partition(".")[0]
        if port in _REFUSED and self.strike(_REFUSED[port]):
            raise Temporary(f"{action} was refused.")
        if port == "table" and self.strike(Kind.TABLE_SLOW):
            self._scheduler.sleep(self._rng.random() * _SLOW_SECONDS)

    def after(self, action: str) -> None:
        """Its answer comes back."""
        process = self._scheduler.current
        if process is None:
            return
        if process.dead:
            raise Killed
        for told in self.on_effect:
            told(action, process)
        self._pass_time(process.account)
        if self.calm:
            return
        if process.account.startswith("lambda"):
            self._cut_off(process)
        port = action.partition(".")[0]
        if port in _ANSWER_LOST and self.strike(_ANSWER_LOST[port]):
            raise Temporary(f"The answer to {action} was lost.")

    def took(self, branch: str, value: object) -> None:
        """A port chose between two ways that its documents leave open."""
        if branch in _TOOK:
            self.happened(_TOOK[branch])
        elif branch == "stale_delete":
            self.happened(_STALE_DELETE[Deleting(str(value))])
        elif branch == "draining_name":
            self.on_wrong("a service was to be created under a name that is still draining")

    def _pass_time(self, account: str) -> None:
        until = self.frozen.get(account, 0.0) if self.frozen else 0.0
        if until > self._scheduler.now:
            self._scheduler.sleep(until - self._scheduler.now)
        if self._rng.random() < self._options.yields:
            self._scheduler.sleep(self._rng.random() * self._options.latency_seconds)

    def _cut_off(self, process: Process) -> None:
        """Invocations die or hang; workers die by the hand of the fleet."""
        if self.strike(Kind.LAMBDA_CRASH):
            process.dead = True
            raise Killed
        rate = self._options.rates[Kind.LAMBDA_TIME_OUT]
        if rate and self._rng.random() < rate:
            self._scheduler.sleep(self._rng.choice((5.0, 30.0, 400.0)))

    def _throttle(self, action: str) -> None:
        second = int(self._scheduler.now)
        if second != self._ecs_second:
            self._ecs_second, self._ecs_calls = second, 0
        self._ecs_calls += 1
        if self._ecs_calls > _ECS_CALLS_A_SECOND or self.strike(Kind.ECS_THROTTLED):
            self.fired[Kind.ECS_THROTTLED] += self._ecs_calls > _ECS_CALLS_A_SECOND
            raise Temporary(f"{action} was throttled.")
