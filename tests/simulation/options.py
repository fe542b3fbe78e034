"""What one life is like: drawn from its seed, printed before it, and never changed by hand.

Swarm testing: the probabilities themselves are drawn, so that some lives have no lost message and
others little else.
"""

import dataclasses
import math
import random
from collections.abc import Mapping

from mayfly.core import limits
from tests.simulation.kinds import Kind

#: What a misfortune's probability is drawn from. Most lives have few kinds.
_RATES = (0.0, 0.0, 0.0, 0.02, 0.1, 0.3)
#: Misfortunes that strike at port calls, of which a life has hundreds.
_CALL_RATES = (0.0, 0.0, 0.0, 0.002, 0.01, 0.03)
_AT_CALLS = frozenset(
    {
        Kind.SQS_REFUSED,
        Kind.SQS_ANSWER_LOST,
        Kind.ECS_ANSWER_LOST,
        Kind.S3_REFUSED,
        Kind.S3_ANSWER_LOST,
        Kind.ECS_REFUSED,
        Kind.LAMBDA_CRASH,
        Kind.LAMBDA_TIME_OUT,
        Kind.LAMBDA_THROTTLED,
        Kind.TABLE_THROTTLED,
        Kind.TABLE_ANSWER_LOST,
    }
)


#: How an account and its people are, drawn once a life: so many lives have it.
_ONCE = {
    Kind.SQS_BRANCHES: (0.0, 1.0),
    Kind.S3_BRANCHES: (0.0, 1.0),
    Kind.ECS_BRANCHES: (0.0, 1.0),
    Kind.TABLE_BRANCHES: (0.0, 1.0),
    Kind.ECS_DRAINING_LASTS: (0.0, 0.0, 0.5),
    Kind.ECS_SPOT_GONE: (0.0, 0.0, 0.0, 1.0),
    Kind.USER_COMES_BACK: (0.0, 0.0, 0.5),
}


def scrambled(seed: int) -> random.Random:
    """Neighbouring seeds give the Mersenne Twister neighbouring first draws; these do not."""
    return random.Random(f"mayfly {seed}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One life's."""

    seed: int
    #: Nothing in it takes long: for as many lives a second as can be.
    small: bool
    #: How many requests, of whatever door.
    requests: int
    #: All of them are made in this time.
    arrivals_seconds: float
    #: How long the bad weather lasts after that.
    storm_seconds: float
    #: When all is done before its end, what is left of it would be ticks that find nothing: so long
    #: they are watched.
    idle_seconds: float
    #: How often the uploads are gone over, and how soon after it was stored one may be asked about.
    round_seconds: int
    grace_seconds: int
    workers_max: int
    #: From asking for a task to its running.
    start_seconds: float
    #: How often Spot strikes, for one worker.
    spot_hours: float
    #: When on-demand stands in for it; 0 is never.
    on_demand_after_seconds: int
    #: Long jobs should be done in so long; 0: each task gets a worker.
    finish_seconds: int
    #: Workers called for a large source that nobody has looked at.
    foreseen_workers_max: int
    #: What all workers may use: processors of each kind, and dollars an hour; 0 is not bounded.
    vcpu_quota: int
    dollars_per_hour_max: float
    #: Chance that a port call lets others go first.
    yields: float
    #: The longest a port call takes when it does.
    latency_seconds: float
    rates: Mapping[Kind, float]

    def told(self) -> str:
        """For people: one line, kinds that cannot strike left out."""
        rates = ", ".join(f"{k.name.lower()} {r:g}" for k, r in self.rates.items() if r)
        fields = ", ".join(
            f"{field.name} {getattr(self, field.name):g}"
            for field in dataclasses.fields(self)
            if field.name != "rates"
        )
        return f"{fields}; {rates or 'no misfortune'}"


def fair(seed: int, *, workers_max: int = 3, **rates: float) -> Options:
    """Fair weather, but for the kinds that are named: for tests that ask one question."""
    return Options(
        seed=seed,
        small=False,
        requests=1,
        arrivals_seconds=1.0,
        storm_seconds=900.0,
        idle_seconds=180.0,
        round_seconds=limits.RECONCILE_SECONDS,
        grace_seconds=limits.RECONCILE_GRACE_SECONDS,
        workers_max=workers_max,
        start_seconds=45.0,
        spot_hours=1e9,
        on_demand_after_seconds=0,
        finish_seconds=0,
        foreseen_workers_max=limits.FORESEEN_WORKERS,
        vcpu_quota=0,
        dollars_per_hour_max=0.0,
        yields=0.5,
        latency_seconds=0.02,
        rates={kind: rates.get(kind.name, 0.0) for kind in Kind},
    )


def draw(seed: int, rng: random.Random, requests: int | None = None) -> Options:
    """The options of a seed; `requests` overrules how many there are, and one is a small world."""
    small = requests == 1
    drawn = rng.choice((1, 1, 2, 3, 5))
    calm = rng.random() < 0.1
    rates = {
        kind: 0.0 if calm else rng.choice(_ONCE.get(kind, _CALL_RATES if at_call else _RATES))
        for kind in Kind
        for at_call in (kind in _AT_CALLS,)
    }
    rounds = rng.choice((240, limits.RECONCILE_SECONDS))
    means = random.Random(f"mayfly means {seed}")
    return Options(
        seed=seed,
        small=small,
        requests=requests or drawn,
        arrivals_seconds=1.0 if small else rng.choice((1.0, 60.0, 900.0, 3600.0)),
        storm_seconds=rng.choice((60.0, 300.0) if small else (60.0, 300.0, 900.0, 4000.0)),
        idle_seconds=60.0 if small else rng.choice((180.0, 180.0, 180.0, math.inf)),
        round_seconds=rounds,
        grace_seconds=limits.RECONCILE_GRACE_SECONDS * rounds // limits.RECONCILE_SECONDS,
        workers_max=rng.choice((1, 2, 3, 5)),
        start_seconds=rng.choice((5.0, 45.0, 150.0)),
        spot_hours=1e9 if calm else rng.choice((0.05, 0.5, 8.0)),
        on_demand_after_seconds=rng.choice((0, 300, 900)),
        finish_seconds=means.choice((0, 120, 600)),
        foreseen_workers_max=limits.FORESEEN_WORKERS,
        vcpu_quota=means.choice((0, 0, 2, 4, 6)),
        dollars_per_hour_max=means.choice((0.0, 0.0, 0.2)),
        yields=rng.choice((0.1, 0.5, 1.0)),
        latency_seconds=rng.choice((0.02, 0.2, 2.0)),
        rates=rates,
    )
