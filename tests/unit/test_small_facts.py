"""What the small rules of the core say, to the letter: names, counts of crashes, rounds, tags."""

import dataclasses

import msgspec
import pytest

from mayfly.contract import presets
from mayfly.contract.wire import Refusal
from mayfly.core import brake, identity, limits, naming, receipt, rounds, rows, sizing, twin
from mayfly.core.brake import WorkerStopped
from mayfly.core.changes import Above, Absent, Create, Key, Put, Update
from mayfly.core.rows import PoolRow, RoundRow
from tests.unit.given import AT, RECIPE, SOURCE

GOES = int(AT) + limits.RECORD_SECONDS
STOP = WorkerStopped(worker="w1", service="s1", pool="p", stop_code="", reason="", exit_code=1)


def test_a_crash_is_counted_once_for_each_worker() -> None:
    assert brake.counted(STOP, AT) == (
        Create(key=Key("service#s1", "first#w1"), item={"act": "crashed", "expires_at": GOES}),
        Update(key=Key("pool#p", "head"), set={"pool": "p"}, add={"crashes": 1}, upsert=True),
    )


def test_a_worker_that_never_started_has_crashed_whatever_its_exit_code() -> None:
    failed = dataclasses.replace(STOP, stop_code="TaskFailedToStart", exit_code=0)
    assert brake.is_crash(failed)


def test_a_worker_that_began_is_written_down_if_it_has_a_name() -> None:
    began = Put(key=Key("service#s1", "first#w1"), item={"act": "began", "expires_at": GOES})
    assert brake.begun("s1", "w1", AT) == (began,)
    assert brake.begun("", "w1", AT) == brake.begun("s1", "", AT) == ()


def test_the_brake_is_set_back_only_where_it_was_set_and_pulled_only_where_it_is_not() -> None:
    pool = Key("pool#p", "head")
    assert brake.set_back("p") == Update(
        key=pool, set={"crashes": 0}, require={"crashes": Above(0)}
    )
    crashed = PoolRow(pool="p", crashes=limits.CRASHES_MAX)
    assert brake.pulled(crashed, AT) == Update(
        key=pool,
        set={"broken_at": AT, "foreign": False},
        require={"broken_at": Absent(), "crashes": Above(limits.CRASHES_MAX - 1)},
    )


def test_a_refused_pool_is_named_with_those_that_there_are() -> None:
    with pytest.raises(Refusal) as raised:
        sizing.choose_pool(RECIPE, "large", ["standard", "small"])
    refusal = raised.value
    assert (refusal.field, refusal.got) == ("pool", '"large"')
    assert refusal.may_be == "one of: standard, small"


def test_picture_work_goes_to_the_first_pool_where_there_is_no_standard_one() -> None:
    assert sizing.choose_pool(RECIPE, None, ["large", "small"]) == "large"
    poster = presets.all_presets()["poster"].recipe
    assert sizing.choose_pool(poster, None, ["large", "standard"]) == "large"


def test_names_are_the_same_in_every_version_of_the_code() -> None:
    """A job is found by the same content, and a token is told by the same message, for ever."""
    assert identity.digest(b"mayfly") == "xj4lcvnptr3y2tjocdewy36edy"
    assert identity.upload_id(SOURCE) == "q7jluikg53lvnl7gnqkei6dfuq"
    assert identity.adopted_job_id(b"{}", "m1") == identity.digest(b"m1\n{}")
    assert identity.adopted_token(b"{}") == identity.digest(b"token\n{}")
    parts = ("t", "media", SOURCE.key, "e1", 1000, RECIPE, 2)
    named = identity.digest(msgspec.json.encode(parts, order="sorted"))
    assert identity.job_id("t", SOURCE, RECIPE, 2) == named
    assert SOURCE.address == "s3://media/uploads/mp4-720p/a clip.mp4"


def test_a_recipes_order_of_fields_is_no_part_of_its_jobs_name() -> None:
    a = identity.job_id("t", SOURCE, RECIPE, 1)
    again = msgspec.convert(dict(reversed(msgspec.to_builtins(RECIPE).items())), type(RECIPE))
    assert identity.job_id("t", SOURCE, again, 1) == a


def test_things_stand_where_they_stand() -> None:
    assert naming.work_prefix("j", "encode") == "work/j/encode/"
    assert naming.control_key("j", "encode") == "work/j/encode/control.json"
    assert naming.inputs_key("j") == "work/j/finish/inputs.json.gz"
    key = "uploads/mp4-720p/day/x.y.mp4"
    assert naming.output_key(key, "mp4-720p", "j", "v.mp4") == "outputs/day/x.y/mp4-720p/j/v.mp4"
    assert naming.latest_key(key, "mp4-720p") == "outputs/day/x.y/mp4-720p/latest.json"
    assert naming.stem("uploads/", "p") == naming.stem("uploads/p/", "p") == "p"
    assert naming.stem("uploads/p/may 1.5/", "p") == "may 1.5"
    assert naming.stem("uploads/uploads/p/x.mp4", "p") == "uploads/p/x"
    assert naming.stem("uploads/p/uploads/p/x.mp4", "p") == "uploads/p/x"


def test_an_upload_is_a_file_under_uploads() -> None:
    assert not naming.is_upload("uploads/trip/IMG_1.JPG") and naming.is_upload("uploads/a.gif")
    assert naming.folder_of_ready("uploads/p/trip/_ready") == "uploads/p/trip/"
    assert naming.folder_of_ready("uploads/_ready") is None
    assert naming.folder_of_ready("uploads/p/trip/not_ready") is None
    assert naming.is_upload("uploads/x") and naming.is_upload("uploads/a/b.mp4")
    assert not naming.is_upload("uploads/a/") and not naming.is_upload("work/x")


def test_a_preset_is_the_first_folder_and_nothing_deeper() -> None:
    assert naming.folder_of_upload("uploads/a/b/x") == "a"
    assert naming.folder_of_upload("uploads/x/a/y") == "x"
    assert naming.folder_of_upload("uploads/a/") == "a"
    assert naming.folder_of_upload("uploads/uploads/a/x") == "uploads"
    assert naming.folder_of_upload("uploads/a") == naming.folder_of_upload("uploads//a") == ""


def test_a_users_preset_is_a_json_file_right_under_presets() -> None:
    assert naming.preset_key("mine") == "presets/mine.json"
    assert naming.preset_of_key("presets/mine.json") == "mine"
    assert naming.preset_of_key("presets/mine.v2.json") == "mine.v2"
    for key in ("mine", "mine.yaml", "my own.json", "a/mine.json", ".json", "x.json\n", "x" * 65):
        assert naming.preset_of_key(f"presets/{key}") is None
    assert naming.preset_of_key("uploads/mine.json") is None
    assert naming.preset_of_key("mine.json") is None


def test_a_service_is_named_by_its_pool_and_something_opaque() -> None:
    assert naming.service_name("small", "ab-cd") == "mayfly-small-ab-cd"
    assert naming.pool_of_service("mayfly-small-ab-cd") == "small"
    for name in ("mayfly-small", "other-small-x", "mayfly", ""):
        assert naming.pool_of_service(name) is None


def test_sequencers_of_different_lengths_are_padded_on_the_right() -> None:
    assert naming.is_newer("1", "0F") and not naming.is_newer("0F", "1")
    assert naming.is_newer("0A1", "0A") and not naming.is_newer("0A", "0A0")
    assert not naming.is_newer("0A0", "0A")
    assert not naming.is_newer("A", "A")


def billed(**fields: object) -> receipt.Billed:
    base: dict[str, object] = {"began_at": AT, "stopped_at": AT + 100}
    base |= {"vcpu": 2.0, "memory_gib": 4.0}
    return receipt.Billed(**(base | fields))  # type: ignore[arg-type]


def ledger(*lives: receipt.Billed, **busy: float) -> receipt.ServiceLedger:
    did = tuple(receipt.Busy(job_id=job, seconds=seconds) for job, seconds in busy.items())
    return receipt.ServiceLedger(billed=lives, busy=did)


def test_a_receipt_is_every_service_that_worked_for_the_job() -> None:
    told = receipt.receipt(
        "a",
        [
            ledger(billed(), billed(stopped_at=AT + 300), a=10.0, b=30.0),
            ledger(billed(spot=False, vcpu=4.0, memory_gib=8.0), a=5.5555),
        ],
        AT,
    )
    spot, dear = receipt.dollars(100, 2, 4), receipt.dollars(100, 4, 8, spot=False)
    assert (told.billed_seconds, told.busy_seconds) == (200.0, 15.556)
    assert (told.vcpu, told.memory_gib, told.final) == (4.0, 8.0, True)
    assert told.on_demand_seconds == 100.0
    assert told.dollars == round(spot + dear, 6)


def test_every_worker_on_demand_counts_and_a_worker_on_spot_after_it_takes_nothing_away() -> None:
    dear = ledger(billed(spot=False), billed(spot=False), billed(), a=1.0)
    assert receipt.receipt("a", [dear], AT).on_demand_seconds == 200.0


def test_a_receipt_is_rounded_to_what_can_be_read() -> None:
    third = ledger(billed(spot=False), a=1.0, b=2.0)
    told = receipt.receipt("a", [third], AT)
    assert (told.billed_seconds, told.on_demand_seconds) == (33.333, 33.333)


def test_a_receipt_of_nothing_costs_nothing_and_is_final() -> None:
    told = receipt.receipt("a", [], AT)
    assert (told.billed_seconds, told.busy_seconds, told.dollars) == (0.0, 0.0, 0.0)
    assert (told.vcpu, told.memory_gib, told.on_demand_seconds) == (0.0, 0.0, 0.0)
    assert told.final is True


def test_a_receipt_is_final_when_every_worker_of_every_service_has_stopped() -> None:
    lives, over = ledger(billed(stopped_at=None), a=1.0), ledger(billed(), a=1.0)
    assert not receipt.receipt("a", [lives, over], AT + 200).final
    assert not receipt.receipt("a", [over, ledger(a=1.0), over], AT).final
    assert receipt.receipt("a", [over, over], AT).final
    idle = receipt.receipt("a", [ledger(billed())], AT)
    assert (idle.billed_seconds, idle.final) == (0.0, True)


def test_a_worker_that_lives_is_billed_until_now_and_a_minute_at_least() -> None:
    assert billed(stopped_at=None).seconds(AT + 90) == 90.0
    assert billed(stopped_at=None).seconds(AT + 5) == 60.0
    assert billed(stopped_at=AT + 70).seconds(AT + 999) == 70.0


HOUR = limits.RECONCILE_SECONDS


def test_a_round_begins_once_an_hour_and_goes_on_until_it_is_done() -> None:
    first = rounds.current(None, AT)
    assert first == RoundRow(began_at=AT, since=AT - HOUR)
    under_way = RoundRow(began_at=AT - 2 * HOUR, since=1.0, cursor="k")
    assert rounds.current(under_way, AT) is under_way
    done = RoundRow(began_at=AT, since=1.0, cursor="k", done_at=AT + 5)
    assert rounds.current(done, AT + HOUR - 1) is None
    assert rounds.current(done, AT + HOUR) == RoundRow(began_at=AT + HOUR, since=1.0)


def test_a_round_asks_about_uploads_that_are_neither_too_young_nor_too_old() -> None:
    grace, back = limits.RECONCILE_GRACE_SECONDS, limits.RECONCILE_LOOKBACK_SECONDS
    assert rounds.is_asked_about(AT - grace, 0.0, AT)
    assert not rounds.is_asked_about(AT - grace + 1, 0.0, AT)
    assert rounds.is_asked_about(AT - back, 0.0, AT)
    assert not rounds.is_asked_about(AT - back - 1, 0.0, AT)
    assert rounds.is_asked_about(AT - 5000, AT - 5000, AT) is (grace <= 5000)
    assert not rounds.is_asked_about(AT - 5001, AT - 5000, AT)


def test_a_round_moves_only_from_where_it_was_read() -> None:
    at = Key("stack", "reconciled")
    row = RoundRow(began_at=AT, since=1.0)
    fields = {"began_at": AT, "since": 1.0, "cursor": "k", "done_at": AT + 9}
    assert rounds.moved(None, row, "k", AT + 9) == Update(
        key=at, set=fields, require={"began_at": Absent()}, upsert=True
    )
    before = RoundRow(began_at=AT - 1, since=1.0, cursor="j")
    assert rounds.moved(before, row, "k", AT + 9) == Update(
        key=at, set=fields, require={"began_at": AT - 1, "cursor": "j"}
    )


def test_on_demand_stands_in_from_the_second_that_the_pool_says() -> None:
    def workers(short: float, still: float, after: float, standing: int = 0) -> int:
        lack = twin.Shortage(missing=2, for_seconds=short, still_seconds=still)
        return twin.workers(lack, standing, after)

    assert workers(600, 600, 600) == 2
    assert workers(599, 600, 600) == workers(600, 599, 600) == 0
    assert workers(1, 1, 1) == 2 and workers(0.5, 0.5, 0.5) == 2
    assert workers(900, 900, 0) == workers(900, 900, -1) == 0
    assert workers(1, 1, 600, standing=1) == 1 and workers(1, 1, 600, standing=5) == 2


def test_rows_and_their_places_have_the_names_that_other_versions_look_for() -> None:
    keys = {
        rows.head_key("j"): ("job#j", "head"),
        rows.spec_key("j"): ("job#j", "spec"),
        rows.plan_key("j"): ("job#j", "plan"),
        rows.task_key("j", "t"): ("job#j", "task#t"),
        rows.request_key("j", "r"): ("job#j", "request#r"),
        rows.upload_key("u"): ("upload#u", "seen"),
        rows.pool_key("p"): ("pool#p", "head"),
        rows.tenant_key("p", "t"): ("pool#p", "tenant#t"),
        rows.busy_key("s", "j", "a"): ("service#s", "busy#j#a"),
        rows.billed_key("s", "w"): ("service#s", "billed#w"),
        rows.first_act_key("s", "w"): ("service#s", "first#w"),
    }
    assert {key: (key.pk, key.sk) for key in keys} == keys
    assert rows.open_tasks_partition("p", "t") == "tasks#p#open#t"
    assert rows.out_tasks_partition("p") == "tasks#p#out"
    assert rows.tenants_partition("p") == "tenants#p#open"
    assert rows.idle_tenants_partition("p") == "tenants#p#idle"
    assert rows.job_order(5.0625, "j") == "0000000000005.062#j"
    assert rows.tenant_order(5.0625, "t") == "0000000000005.062#t"


def test_a_row_is_read_from_what_a_table_holds_whatever_else_stands_there() -> None:
    item = {"pool": "p", "open_jobs": 2.0, "pk": "x", "expires_at": 5}
    assert rows.from_item(PoolRow, item) == PoolRow(pool="p", open_jobs=2)
    assert rows.to_item(RoundRow(began_at=1.0, since=2.0)) == {
        "began_at": 1.0,
        "since": 2.0,
        "cursor": "",
        "done_at": None,
    }
