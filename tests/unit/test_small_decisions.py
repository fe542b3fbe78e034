"""Identity, names, receipts, the brake, sizes, and the relations of limits."""

import msgspec
import pytest

from mayfly.contract import presets
from mayfly.contract.wire import Refusal
from mayfly.core import brake, identity, limits, naming, receipt, sizing
from mayfly.core.brake import WorkerStopped
from mayfly.core.changes import Create
from mayfly.core.rows import PoolRow, pool_key
from mayfly.memory.table import MemoryTable
from mayfly.perform.ports import Conflict
from tests.unit.given import AT, RECIPE, SOURCE


def test_the_same_content_is_the_same_job_and_any_difference_another() -> None:
    same = identity.job_id("t", SOURCE, RECIPE, 1)
    assert same == identity.job_id("t", SOURCE, RECIPE, 1)
    assert len(same) == 26 and same.isalnum() and same == same.lower()
    others = [
        identity.job_id("u", SOURCE, RECIPE, 1),
        identity.job_id("t", SOURCE, RECIPE, 2),
        identity.job_id("t", SOURCE, presets.all_presets()["poster"].recipe, 1),
        *(
            identity.job_id("t", msgspec.structs.replace(SOURCE, **{field: value}), RECIPE, 1)
            for field, value in [("etag", "e2"), ("key", "k"), ("bucket", "b"), ("size_bytes", 1)]
        ),
    ]
    assert len({same, *others}) == len(others) + 1


def test_a_redelivered_event_is_the_same_job_although_its_sequencer_differs() -> None:
    later = msgspec.structs.replace(SOURCE, sequencer="0B", version_id="v2")
    assert identity.job_id("t", SOURCE, RECIPE, 1) == identity.job_id("t", later, RECIPE, 1)


@pytest.mark.parametrize(
    ("key", "stem"),
    [
        ("uploads/mp4-720p/my clip (1)+ü.mp4", "my clip (1)+ü"),
        ("uploads/holiday/day 1.v2.mov", "holiday/day 1.v2"),
        ("uploads/noending", "noending"),
        ("uploads/.hidden", ".hidden"),
    ],
)
def test_outputs_stand_under_the_name_of_their_source(key: str, stem: str) -> None:
    expected = f"outputs/{stem}/mp4-720p/job1/video.mp4"
    assert naming.output_key(key, "mp4-720p", "job1", "video.mp4") == expected


def test_outputs_never_stand_where_uploads_trigger() -> None:
    assert not naming.output_key("uploads/uploads/x.mp4", "p", "j", "f").startswith("uploads/")


def test_sequencers_are_compared_as_s3_says() -> None:
    assert naming.is_newer("0055AED6DCD90281E6", "0055AED6DCD90281E5")
    assert not naming.is_newer("0055", "00550")
    assert naming.is_newer("00551", "0055")


def test_a_service_name_tells_its_pool_and_foreign_names_do_not() -> None:
    assert naming.pool_of_service(naming.service_name("standard", "abc")) == "standard"
    assert naming.pool_of_service("web") is None


def ledger(*busy: tuple[str, float], **worker: object) -> receipt.ServiceLedger:
    base: dict[str, object] = {
        "began_at": AT,
        "stopped_at": AT + 120,
        "vcpu": 2.0,
        "memory_gib": 4.0,
    }
    return receipt.ServiceLedger(
        billed=(receipt.Billed(**(base | worker)),),  # type: ignore[arg-type]
        busy=tuple(receipt.Busy(job_id=job, seconds=seconds) for job, seconds in busy),
    )


def test_billed_seconds_are_split_among_jobs_by_busy_seconds() -> None:
    shared = ledger(("a", 30.0), ("b", 10.0))
    first, second = (receipt.receipt(job, [shared], AT + 500) for job in ("a", "b"))
    assert (first.billed_seconds, second.billed_seconds) == (90.0, 30.0)
    assert first.busy_seconds == 30.0 and first.final


def test_a_short_worker_is_billed_a_minute() -> None:
    assert receipt.receipt("a", [ledger(("a", 2.0), stopped_at=AT + 5)], AT).billed_seconds == 60.0


def test_a_receipt_is_not_final_while_a_worker_lives() -> None:
    assert not receipt.receipt("a", [ledger(("a", 2.0), stopped_at=None)], AT + 90).final


def test_two_vcpus_on_spot_cost_what_the_price_list_says() -> None:
    hour = receipt.dollars(3600, 2, 4)
    assert hour == pytest.approx(2 * 0.01334053 + 4 * 0.00146489 + 0.005)


def test_a_worker_on_demand_is_priced_as_such_and_the_receipt_says_for_how_long() -> None:
    hour = receipt.dollars(3600, 2, 4, spot=False)
    assert hour == pytest.approx(2 * 0.04048 + 4 * 0.004445 + 0.005)
    spot, on_demand = ledger(("a", 9.0)), ledger(("a", 6.0), ("b", 2.0), spot=False)
    told = receipt.receipt("a", [spot, on_demand], AT + 500)
    assert (told.billed_seconds, told.on_demand_seconds) == (210.0, 90.0)
    expected = receipt.dollars(120, 2, 4) + receipt.dollars(90, 2, 4, spot=False)
    assert told.dollars == pytest.approx(expected, abs=1e-6)


def a_stop(stop_code: str, exit_code: int | None) -> WorkerStopped:
    return WorkerStopped(
        worker="w", service="s", pool="p", stop_code=stop_code, reason="", exit_code=exit_code
    )


@pytest.mark.parametrize(
    ("stop", "crash"),
    [
        (a_stop("EssentialContainerExited", 1), True),
        (a_stop("EssentialContainerExited", None), True),
        (a_stop("TaskFailedToStart", None), True),
        (a_stop("EssentialContainerExited", 0), False),
        (a_stop("SpotInterruption", 137), False),
        (a_stop("ServiceSchedulerInitiated", 143), False),
        (a_stop("UserInitiated", 137), False),
    ],
)
def test_only_a_worker_that_stops_of_itself_and_badly_counts_as_a_crash(
    stop: WorkerStopped, crash: bool
) -> None:
    assert brake.is_crash(stop) is crash


def test_the_brake_is_pulled_once_at_the_limit() -> None:
    below = PoolRow(pool="p", crashes=limits.CRASHES_MAX - 1)
    assert brake.pulled(below, AT) is None
    at = PoolRow(pool="p", crashes=limits.CRASHES_MAX)
    assert brake.pulled(at, AT) is not None
    assert brake.pulled(msgspec.structs.replace(at, broken_at=AT), AT) is None


def test_the_brake_is_not_pulled_when_a_worker_has_begun_since_the_crashes_were_read() -> None:
    table = MemoryTable()
    item = {"pool": "p", "crashes": limits.CRASHES_MAX}
    table.commit([Create(key=pool_key("p"), item=item)])
    pulled = brake.pulled(PoolRow(pool="p", crashes=limits.CRASHES_MAX), AT)
    assert pulled is not None
    table.commit([brake.set_back("p")])
    with pytest.raises(Conflict):
        table.commit([pulled])


def test_a_request_may_name_a_pool_that_the_stack_has_and_no_other() -> None:
    assert sizing.choose_pool(RECIPE, None, ["standard", "large"]) == "standard"
    assert sizing.choose_pool(RECIPE, "large", ["standard", "large"]) == "large"
    with pytest.raises(Refusal, match="one of: standard"):
        sizing.choose_pool(RECIPE, "large", ["standard"])


def test_sound_and_stills_go_to_the_small_pool_where_there_is_one() -> None:
    poster = presets.all_presets()["poster"].recipe
    assert sizing.choose_pool(poster, None, ["standard", "small"]) == "small"
    assert sizing.choose_pool(poster, None, ["standard"]) == "standard"
