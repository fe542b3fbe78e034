"""The worker's life: take a task, do it, say so, take the next; leave when told to.

The use case over its ports; time and chance are given in. The order of things is the whole point:
- protection before receiving, so that nobody shrinks away a worker that has just taken a task;
- the heartbeat before the download and until after the report, so that the task is never another's
  while it is worked on;
- the report before the message is deleted, so that a crash in between repeats instead of loses.
It must never let an error of one task end the loop, nor log what a message holds.
"""

import dataclasses
import logging
from collections.abc import Callable

import msgspec

from mayfly.contract import report, wire
from mayfly.contract.failure import FailureClass, class_of
from mayfly.contract.task import Task
from mayfly.core import limits
from mayfly.core.identity import adopted_job_id, adopted_token
from mayfly.core.parts import FIRST_TASK
from mayfly.perform.ports import Dice, Gone, HandleLost, Message, Queue, Temporary
from worker.agent import Identity, Protection
from worker.clock import WorkerClock
from worker.control import ControlReader
from worker.ends import Halted, Reason, WorkFailed
from worker.extent import Extent
from worker.grants import HeldGrants
from worker.halt import Halt
from worker.heartbeat import Heartbeat, Progress
from worker.order import Order, Work
from worker.pulse import Pulse, ThreadPulse
from worker.speak import Speaker
from worker.stop import Stop, UnderWay

_LOG = logging.getLogger("mayfly.worker")

_CHOICE = {True: "went on", False: "was stopped"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    """One message in hand."""

    message: Message
    task: Task
    adopted: bool
    speaker: Speaker
    began: float
    order: Order
    under_way: UnderWay


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """One worker process."""

    pool: str
    jobs: Queue
    done: Queue
    control: ControlReader
    work: Work
    protection: Protection
    identity: Identity
    clock: WorkerClock
    dice: Dice
    stop: Stop
    #: From SIGTERM until what does not end must stop, so that it can still be told.
    notice_seconds: float = limits.STOP_SECONDS - limits.LEAVE_SECONDS
    #: Drives the heartbeat of one task.
    pulse: Callable[[], Pulse] = ThreadPulse

    def run(self) -> None:
        """Until a stop is asked."""
        while not self.stop.asked:
            if not self.protection.take():
                self.stop.pause(self.clock, limits.REFUSED_PAUSE_SECONDS)
                continue
            try:
                messages = self.jobs.receive(wait_seconds=limits.POLL_SECONDS, limit=1)
            except (Temporary, Gone):
                _LOG.warning("The jobs queue cannot be read; trying again.")
                self.stop.pause(self.clock, limits.REFUSED_PAUSE_SECONDS)
                continue
            if not messages:
                self.protection.release()
            for message in messages:
                self._take(message)
        self.protection.release()

    def _take(self, message: Message) -> None:
        try:
            task, adopted = _read(message)
        except wire.Refusal as refusal:
            # The refusal quotes the message, which may hold signed URLs; its field does not.
            _LOG.error("A message is not a task: see the field %s.", refusal.field)
            self._hand_back(message, 0)  # it reaches the dead letters, which judge it
            return
        attempt = self._attempt(message, task, adopted)
        self.stop.guard(attempt.under_way)
        try:
            self._serve(attempt)
        except Exception:  # noqa: BLE001 - a queue's refusals are many, and one task is not all
            # Not heard: the message stays and comes back by itself.
            _LOG.exception("The report was not heard.", extra=attempt.speaker.log_fields)
        finally:
            self.stop.guard(None)
            if choices := attempt.under_way.choices:
                told = "; ".join(f"{_CHOICE[one.goes_on]}, for {one.why}" for one in choices)
                _LOG.info("Told to leave, the work %s.", told, extra=attempt.speaker.log_fields)

    def _attempt(self, message: Message, task: Task, adopted: bool) -> _Attempt:
        raw, nonce = message.body.encode(), self.dice.token()
        speaker = Speaker(
            done=self.done,
            clock=self.clock,
            # Of the message, so that all deliveries of it are one job.
            job_id=task.job_id or adopted_job_id(raw, message.message_id),
            task_id=task.task_id or FIRST_TASK,
            token=task.token or adopted_token(raw),
            attempt=nonce,
            worker=self.identity.worker,
            service=self.identity.service,
        )
        # Nobody could write the other tasks of a user's own.
        may_plan = task.kind == "encode" and not adopted
        order = Order(
            task=task,
            nonce=nonce,
            grants=HeldGrants(task, self.clock),
            halt=Halt(),
            progress=Progress(),
            extent=Extent(speaker=speaker, scope=task.scope, may_plan=may_plan),
        )
        return _Attempt(
            message=message,
            task=task,
            adopted=adopted,
            speaker=speaker,
            began=self.clock.monotonic(),
            order=order,
            under_way=UnderWay(order=order, clock=self.clock, notice_seconds=self.notice_seconds),
        )

    def _serve(self, attempt: _Attempt) -> None:
        speaker = attempt.speaker
        heartbeat = Heartbeat(
            jobs=self.jobs,
            handle=attempt.message.handle,
            speaker=speaker,
            clock=self.clock,
            control=self.control,
            grants=attempt.order.grants,
            halt=attempt.order.halt,
            progress=attempt.order.progress,
            pulse=self.pulse(),
        )
        heartbeat.start()
        try:
            hold_seconds = self._do_and_tell(attempt)
        finally:
            heartbeat.stop()
        if hold_seconds is None:
            self._delete(attempt)
        elif hold_seconds >= 0:
            self._hand_back(attempt.message, hold_seconds)

    def _do_and_tell(self, attempt: _Attempt) -> int | None:
        """What becomes of the message: None deletes it, a number hands it back after so many
        seconds, a negative one leaves it to whoever has it now."""
        speaker = attempt.speaker
        if self.stop.asked:
            return self._not_begun(attempt)
        if attempt.order.grants.dead(limits.GRANT_SECONDS_MIN):
            return self._halted(attempt, Reason.GRANT_EXPIRED)
        if attempt.adopted:
            speaker.say(
                report.Adopted,
                pool=self.pool,
                recipe=attempt.task.recipe,
                source=without_query(attempt.task.source.fetch.url),
            )
        speaker.say(report.Started)
        _LOG.info("The task has begun.", extra=speaker.log_fields)
        try:
            done = self.work.do(attempt.order)
        except Halted as halted:
            return self._halted(attempt, halted.reason)
        except WorkFailed as failed:
            return self._failed(attempt, failed)
        except Temporary:
            raise  # nobody heard of the plan, so the work behind it would fit nowhere
        except Exception:  # noqa: BLE001 - the last net, and the loop goes on
            # Whatever it is, the task is not at fault by proof: the next try may succeed.
            _LOG.exception("The worker failed.", extra=speaker.log_fields)
            return self._failed(attempt, WorkFailed("worker_failed"))
        # A user's own storage is none of ours, so a key in it would name nothing.
        outputs = tuple(
            msgspec.structs.replace(made, key="") if attempt.adopted else made
            for made in done.outputs
        )
        busy_seconds = self._busy(attempt)
        speaker.say(
            report.Encoded,
            outputs=outputs,
            source=done.source,
            busy_seconds=busy_seconds,
            cpu_seconds=done.cpu_seconds,
            predicted_seconds=done.predicted_seconds,
            note=done.note,
            proof=done.proof,
            scope=attempt.order.extent.scope,
        )
        _LOG.info("The task is done.", extra={**speaker.log_fields, "seconds": busy_seconds})
        return None

    def _not_begun(self, attempt: _Attempt) -> int | None:
        """The long poll was under way when the stop came."""
        if attempt.adopted:
            return 0  # nobody has heard of its job yet
        # A message that is handed back counts as received, and three of those are a dead letter.
        return self._interrupted(attempt, "spot_interruption")

    def _halted(self, attempt: _Attempt, reason: Reason) -> int | None:
        speaker = attempt.speaker
        _LOG.info("The work was stopped: %s.", reason, extra=speaker.log_fields)
        match reason:
            case Reason.LOST:
                return -1
            case Reason.ORDERED:
                # Whoever ordered it knows; the report says what it cost.
                return self._interrupted(attempt, "ordered")
            case Reason.HELD_TOO_LONG:
                # The next worker would hold it for as long.
                return self._failed(attempt, WorkFailed("time_limit", "with all that is around it"))
            case Reason.SIGNAL:
                interrupted = self._interrupted(attempt, "spot_interruption")
                # Nobody but this message knows its URLs, so it must not be deleted.
                return 0 if attempt.adopted else interrupted
            case Reason.GRANT_EXPIRED:
                if attempt.adopted:
                    stage = attempt.order.progress.stage
                    code = "delivery_refused" if stage == "storing" else "source_refused"
                    return self._failed(attempt, WorkFailed(code, "the URL has died"))
                return self._interrupted(attempt, "grant_expired")

    def _interrupted(self, attempt: _Attempt, reason: str) -> int | None:
        attempt.speaker.say(report.Interrupted, reason=reason, busy_seconds=self._busy(attempt))
        return None

    def _failed(self, attempt: _Attempt, failed: WorkFailed) -> int | None:
        speaker, receives = attempt.speaker, attempt.message.receives
        _LOG.warning("The task failed.", extra={**speaker.log_fields, "code": failed.code})
        speaker.say(
            report.Failed,
            code=failed.code,
            detail=failed.detail,
            busy_seconds=self._busy(attempt),
        )
        if class_of(failed.code) is FailureClass.BAD_INPUT:
            return None
        if receives >= limits.RECEIVES_MAX:
            return 0  # the next receive would be one too many: it goes to the dead letters
        return limits.RETRY_PAUSE_SECONDS << max(0, receives - 1)

    def _busy(self, attempt: _Attempt) -> float:
        return round(self.clock.monotonic() - attempt.began, 3)

    def _hand_back(self, message: Message, seconds: int) -> None:
        try:
            self.jobs.extend(message.handle, seconds)
        except (HandleLost, Temporary, Gone):
            _LOG.warning("A message could not be handed back; it comes back by itself.")

    def _delete(self, attempt: _Attempt) -> None:
        try:
            self.jobs.delete(attempt.message.handle)
        except (HandleLost, Temporary, Gone):
            # It comes back; its job is told the same again and ignores it.
            _LOG.warning("The message was not deleted.", extra=attempt.speaker.log_fields)


def _read(message: Message) -> tuple[Task, bool]:
    """The task, and whether a user put it there. Raises Refusal."""
    task = wire.decode(Task, message.body)
    named = [task.job_id is not None, task.task_id is not None, task.token is not None]
    if any(named) and not all(named):
        raise wire.Refusal("job_id, task_id, token", "some of them", "all of them or none")
    return task, not any(named)


def without_query(url: str) -> str:
    """Scheme, host and path: what of a signed URL may be shown. A user's name in it may not."""
    scheme, _, rest = url.partition("://")
    place, slash, path = rest.partition("?")[0].partition("#")[0].partition("/")
    return f"{scheme}://{place.rpartition('@')[2]}{slash}{path}"
