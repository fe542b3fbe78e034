"""What a job may cost: calls that do not grow with what else there is, and seconds that are billed.

The figures are of fair weather, so that they are Mayfly's own doing.
"""

import dataclasses
import math
from collections.abc import Sequence

import pytest

from tests.simulation.kinds import Kind
from tests.simulation.life import Life, lived
from tests.simulation.options import Options, fair
from tests.simulation.stack import Stack

_ECS = ("services.create", "services.resize", "services.delete")


def _life(sources: Sequence[bytes], options: Options) -> Life:
    stack = Stack(options.seed, options=options)
    for number, source in enumerate(sources):
        stack.people.put(f"upload {number}", source)
    life = lived(stack)
    assert life.violations == ()
    assert life.ends == {"succeeded": len(sources)}
    return life


def _calls(life: Life, *ports: str) -> int:
    """Of invocations that something woke; what the tick costs depends on time alone."""
    return sum(
        count
        for (who, action), count in life.calls.items()
        if who not in ("worker", "lambda tick") and action.partition(".")[0] in ports
    )


def test_a_chunk_costs_the_same_calls_among_ten_times_as_many() -> None:
    few = _life([b"split 600 30 1"], fair(1))
    many = _life([b"split 6000 300 1"], fair(1))
    tasks = (32, 302)
    for ports, at_most in ((("table",), 32), (("store",), 1), (("signer",), 5), (("queue",), 2)):
        per_task = [_calls(life, *ports) / n for life, n in zip((few, many), tasks, strict=True)]
        assert per_task[1] < 1.1 * per_task[0] + 0.1, ports
        assert max(per_task) <= at_most, ports


def test_a_job_costs_the_same_calls_among_ten_times_as_many() -> None:
    few = _life([b"clip %d" % (20 + n) for n in range(5)], fair(1))
    many = _life([b"clip %d" % (20 + n) for n in range(50)], fair(1))
    for ports, at_most in ((("table",), 70), (("store",), 4), (("signer",), 4), (("queue",), 2)):
        per_job = [_calls(life, *ports) / n for life, n in zip((few, many), (5, 50), strict=True)]
        assert per_job[1] < 1.1 * per_job[0] + 0.1, ports
        assert max(per_job) <= at_most, ports


@pytest.mark.parametrize("sources", [[b"clip 20"] * 50, [b"split 6000 300 1"]])
def test_ecs_is_called_a_handful_of_times_however_much_there_is(sources: list[bytes]) -> None:
    life = _life(sources, fair(1))
    assert sum(count for (_, action), count in life.calls.items() if action in _ECS) <= 6


def test_what_is_billed_under_spot_stays_below_the_restart_model() -> None:
    """Restart the chunk: E[T]/L = (M+R)(exp((L+C)/M)-1)/L, for lives whose only misfortune is that
    Spot takes machines without notice; beside it each machine's start and its idle end."""
    chunks, length, fixed, hours, start = 30, 60.0, 10.0, 1.0, 45.0
    mean, useful, billed, machines = hours * 3600, 0.0, 0.0, 0
    for seed in range(12):
        options = fair(seed, ECS_SPOT_KILL=1.0)
        options = _with(options, spot_hours=hours, start_seconds=start)
        life = _life([b"split 1800 30 0"], options)
        useful += chunks * length
        billed += life.billed_seconds
        machines += life.machines
    model = (mean + start) * (math.exp((length + fixed) / mean) - 1) / length
    idle_end = 90.0  # the tick that asks for fewer, an empty poll, the stop
    print(f"billed {billed / useful:.3f} of useful, model {model:.3f}, {machines} machines")
    assert billed < 1.1 * model * useful + machines * (start + idle_end)
    assert machines > 3 * 12, "Spot took nothing, so nothing was shown"


@pytest.mark.parametrize("seed", range(4))
def test_a_machine_that_goes_with_notice_costs_a_start_and_no_chunk(seed: int) -> None:
    """Stopped at once, each would cost half a chunk as well: 160 to 230 s in each of these."""
    start, useful, idle_end = 45.0, 3600.0, 90.0
    options = _with(fair(seed), spot_hours=0.2, start_seconds=start, storm_seconds=1e5)
    life = _life([b"split 3600 60 0"], options)
    assert life.fired[Kind.ECS_SPOT_NOTICE] > 1
    assert life.billed_seconds < useful + life.machines * start + idle_end


def _with(options: Options, **fields: float) -> Options:
    return dataclasses.replace(options, **fields)  # type: ignore[arg-type]
