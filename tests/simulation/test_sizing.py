"""A long job's workers, in whole lives: as many as finish it in time, at the price of its work, and
within the means of its account. Fair weather, so that what shows is Mayfly's own doing."""

import dataclasses
from typing import Any

import pytest

from mayfly.core import limits
from tests.simulation.life import Life, lived
from tests.simulation.options import fair
from tests.simulation.stack import Stack

#: A worker's 100 minutes of work, in chunks of a minute, and its sound.
_WORK_SECONDS = 6000
_FINISH_SECONDS = 600


def life(predicted: float = _WORK_SECONDS, **fields: Any) -> Life:
    options = fair(1, workers_max=60)
    options = dataclasses.replace(options, **{"finish_seconds": _FINISH_SECONDS, **fields})
    stack = Stack(1, options=options)
    stack.people.put("film", b"split %d 100 1 %d" % (_WORK_SECONDS, predicted))
    found = lived(stack)
    assert found.violations == ()
    assert found.ends == {"succeeded": 1}
    return found


def took(found: Life) -> float:
    """From the first request to the last outcome."""
    said = [at for at, _, what in found.trace if "bus.publish" in what]
    assert said
    return max(said) - found.began


def test_a_job_gets_the_workers_that_finish_it_in_time_within_a_tick() -> None:
    found = life()
    # 480 s are left when its plan is known, a minute less when those who are called have come.
    assert 12 <= found.machines <= 15
    assert took(found) <= _FINISH_SECONDS
    assert found.billed_seconds <= 1.2 * _WORK_SECONDS


def test_without_a_target_each_task_gets_a_worker_and_all_of_them_cost_more() -> None:
    found = life(finish_seconds=0)
    assert found.machines == 60
    assert took(found) < _FINISH_SECONDS / 2
    assert found.billed_seconds > 1.4 * life().billed_seconds


@pytest.mark.parametrize("predicted", [1, _WORK_SECONDS // 3])
def test_a_prediction_that_was_too_short_is_corrected_by_what_was_measured(predicted: int) -> None:
    found = life(predicted)
    assert took(found) <= _FINISH_SECONDS + limits.TICK_SECONDS
    assert found.billed_seconds <= 1.4 * _WORK_SECONDS


@pytest.mark.parametrize("predicted", [_WORK_SECONDS * 3, 10**7])
def test_one_that_was_too_long_costs_no_more_than_no_prediction_at_all(predicted: int) -> None:
    found = life(predicted)
    assert took(found) <= _FINISH_SECONDS
    assert found.billed_seconds <= life(finish_seconds=0).billed_seconds * 1.01


def test_the_accounts_processors_are_enough_and_never_too_few() -> None:
    found = life(vcpu_quota=6)
    assert found.machines == 3
    assert took(found) < 1.2 * _WORK_SECONDS / 3 + 200


def test_an_hour_costs_no_more_than_it_may() -> None:
    assert life(dollars_per_hour_max=0.2).machines == 5
