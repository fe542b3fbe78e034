"""What random lives found: each way in which work was lost, doubled, stuck or billed for ever."""

import json
from typing import Any

from mayfly.memory.world import MemoryWorld
from tests.unit.acting import KEY, dispatch, outcomes, upload


def a_request(**fields: Any) -> str:
    return json.dumps({"source": f"s3://media/{KEY}", "preset": "mp4-720p", **fields})


def test_a_request_for_a_missing_pool_does_not_stand_in_the_way_of_its_correction(
    w: MemoryWorld,
) -> None:
    upload(w)
    dispatch(w, a_request(pool="large", request_id="wrong"))
    (refused,) = outcomes(w)
    assert refused.failure is not None and "one of: standard" in refused.failure.sentence
    dispatch(w, a_request(request_id="right"))
    assert w.jobs.depth().visible == 1


def test_a_request_for_a_missing_pool_is_answered_although_its_content_is_known(
    w: MemoryWorld,
) -> None:
    dispatch(w, upload(w))
    dispatch(w, a_request(pool="large", request_id="wrong"))
    assert [outcome.request_ids for outcome in outcomes(w)] == [("wrong",)]
