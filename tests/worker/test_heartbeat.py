"""The heartbeat, beaten by hand under virtual time."""

import threading

import pytest

from mayfly.contract import report, wire
from mayfly.contract.task import Control, Grants, Task
from mayfly.perform.ports import Temporary
from tests.worker.conftest import Rig, kinds
from worker.ends import Reason
from worker.grants import HeldGrants
from worker.halt import Halt
from worker.heartbeat import Heartbeat, Progress
from worker.pulse import ThreadPulse
from worker.speak import Speaker


class Orders:
    """A control object."""

    def __init__(self, *orders: Control | None) -> None:
        self.orders = list(orders)

    def read(self, grants: HeldGrants, halt: Halt) -> Control | None:
        return self.orders.pop(0) if self.orders else None


class Beating:
    """One task's heartbeat, beaten by hand."""

    def __init__(self, rig: Rig, *orders: Control | None, lives_seconds: float = 2700) -> None:
        self.rig = rig
        rig.put(rig.task(b"", grants_end_at=rig.clock.now() + lives_seconds))
        (self.message,) = rig.jobs.receive(wait_seconds=0)
        self.halt = Halt()
        self.progress = Progress()
        self.grants = HeldGrants(wire.decode(Task, self.message.body), rig.clock)
        self.heartbeat = Heartbeat(
            jobs=rig.jobs,
            handle=self.message.handle,
            speaker=Speaker(
                done=rig.done, clock=rig.clock, job_id="j", task_id="t", token="k",
                attempt="a", worker="", service="",
            ),
            clock=rig.clock,
            control=Orders(*orders),
            grants=self.grants,
            halt=self.halt,
            progress=self.progress,
            pulse=ThreadPulse(),
        )  # fmt: skip


def test_a_beat_keeps_the_message(rig: Rig) -> None:
    beating = Beating(rig)
    for _ in range(12):
        rig.clock.sleep(80)
        beating.heartbeat.beat()
        assert rig.jobs.depth().in_flight == 1


def test_a_message_lost_to_another_worker_stops_the_work(rig: Rig) -> None:
    beating = Beating(rig)
    rig.clock.sleep(91)
    rig.jobs.receive(wait_seconds=0)
    beating.heartbeat.beat()
    assert beating.halt.reason is Reason.LOST


def test_a_queue_that_cannot_be_reached_stops_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    beating = Beating(rig)

    def unreachable(handle: str, seconds: int) -> None:
        raise Temporary

    monkeypatch.setattr(rig.jobs, "extend", unreachable)
    beating.heartbeat.beat()
    assert beating.halt.reason is None
    assert kinds(rig.said()) == ["Progressed"]


def test_a_message_is_not_held_longer_than_sqs_allows(rig: Rig) -> None:
    beating = Beating(rig)
    for _ in range(11 * 60 + 31):
        beating.heartbeat.beat()
        assert beating.halt.reason is None
        rig.clock.sleep(60)
    beating.heartbeat.beat()
    assert beating.halt.reason is Reason.HELD_TOO_LONG


def test_a_machine_that_stood_still_for_hours_has_lost_its_message(rig: Rig) -> None:
    beating = Beating(rig)
    rig.clock.sleep(11.6 * 3600)
    beating.heartbeat.beat()
    assert beating.halt.reason is Reason.LOST


def test_an_order_to_stop_is_obeyed(rig: Rig) -> None:
    beating = Beating(rig, Control(), Control(order="stop", reason="cancelled"))
    beating.heartbeat.beat()
    assert beating.halt.reason is None
    beating.heartbeat.beat()
    assert beating.halt.reason is Reason.ORDERED


def test_progress_is_monotonic_and_below_one(rig: Rig) -> None:
    beating = Beating(rig)
    for fraction in (0.5, 0.4, 1.0):
        beating.progress.fraction = fraction
        beating.heartbeat.beat()
    assert [one.fraction for one in rig.said() if isinstance(one, report.Progressed)] == [
        0.5,
        0.5,
        0.999,
    ]


def test_progress_tells_that_the_machine_goes(rig: Rig) -> None:
    beating = Beating(rig)
    beating.progress.stage, beating.progress.leaving = "encoding", True
    beating.heartbeat.tell()
    (told,) = rig.said()
    assert isinstance(told, report.Progressed)
    assert told.stage == "encoding, to end before its machine goes"


def test_a_grant_about_to_end_is_asked_for_once_a_minute_and_renewed(rig: Rig) -> None:
    beating = Beating(rig, lives_seconds=610)
    renewed = Grants(
        source=beating.grants.source,
        upload=beating.grants.upload,
        control=beating.grants.source,
        grants_end_at=rig.clock.now() + 5000,
    )

    def beats(count: int) -> int:
        for _ in range(count):
            beating.heartbeat.beat()
            rig.clock.sleep(20)
        return kinds(rig.said()).count("RenewalWanted")

    assert beats(1) == 0
    assert beats(6) == 2
    beating.heartbeat._control = Orders(Control(grants=renewed))
    assert beats(6) == 0
    assert beating.grants.left_seconds() == pytest.approx(5000 - 13 * 20)


def test_an_older_renewal_changes_nothing(rig: Rig) -> None:
    beating = Beating(rig)
    source = beating.grants.source
    older = Grants(
        source=source, upload=beating.grants.upload, control=source, grants_end_at=rig.clock.now()
    )
    assert not beating.grants.renew(older)


def test_no_beat_comes_after_the_end(rig: Rig) -> None:
    beating = Beating(rig)
    beating.heartbeat.start()
    beating.heartbeat.stop()
    assert [thread for thread in threading.enumerate() if thread.name == "heartbeat"] == []
