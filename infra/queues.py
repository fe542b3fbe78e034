"""The queues, each with its dead letters, encrypted and refusing anything but TLS.

Timings that two rooms share come from `mayfly.core.limits`; how long a queue hides a message from
a second Lambda follows from the function that consumes it.
"""

from collections.abc import Mapping, Sequence

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra import names
from mayfly.core import limits

#: The longest SQS keeps anything. Dead letters keep the age they had.
DEAD_RETENTION = Duration.days(14)

#: Long polling asks all of SQS's hosts; short polling asks some and misses messages.
LONG_POLL = Duration.seconds(20)


class Queues(Construct):
    """`requests`, `done`, `events` and one `jobs-<pool>` per pool."""

    def __init__(self, scope: Construct, construct_id: str, *, pools: Sequence[str]) -> None:
        super().__init__(scope, construct_id)
        completion = limits.COMPLETION_SECONDS_MAX * limits.HIDDEN_FACTOR
        self.requests_dead = self._dead("requests", hidden_seconds=completion)
        self.requests = self._queue(
            "requests",
            dead=self.requests_dead,
            hidden_seconds=limits.DISPATCHER_SECONDS_MAX * limits.HIDDEN_FACTOR,
        )
        # Nobody consumes these two: what the completion handler could not process, it could not
        # process as a dead letter either. An alarm stands on each.
        self.done_dead = self._dead("done")
        self.done = self._queue("done", dead=self.done_dead, hidden_seconds=completion)
        self.events_dead = self._dead("events")
        self.events = self._queue("events", dead=self.events_dead, hidden_seconds=completion)
        self.jobs_dead: Mapping[str, sqs.Queue] = {
            pool: self._dead(f"jobs-{pool}", hidden_seconds=completion) for pool in pools
        }
        self.jobs: Mapping[str, sqs.Queue] = {
            pool: self._queue(
                f"jobs-{pool}",
                dead=self.jobs_dead[pool],
                hidden_seconds=limits.VISIBILITY_SECONDS,
                receives_max=limits.RECEIVES_MAX,
            )
            for pool in pools
        }

    @property
    def live(self) -> list[sqs.Queue]:
        """Every queue that work flows through."""
        return [self.requests, *self.jobs.values(), self.done, self.events]

    @property
    def consumed_dead(self) -> list[sqs.Queue]:
        """Dead letters that the completion handler turns into outcomes."""
        return [self.requests_dead, *self.jobs_dead.values()]

    @property
    def unconsumed_dead(self) -> list[sqs.Queue]:
        """Dead letters that wait for a person."""
        return [self.done_dead, self.events_dead]

    def _queue(
        self,
        name: str,
        *,
        dead: sqs.Queue,
        hidden_seconds: int,
        receives_max: int = limits.FUNCTION_RECEIVES_MAX,
    ) -> sqs.Queue:
        return sqs.Queue(
            self,
            name,
            queue_name=names.named(name),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            visibility_timeout=Duration.seconds(hidden_seconds),
            receive_message_wait_time=LONG_POLL,
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead, max_receive_count=receives_max),
            removal_policy=RemovalPolicy.DESTROY,
        )

    def _dead(self, name: str, *, hidden_seconds: int = 30) -> sqs.Queue:
        return sqs.Queue(
            self,
            f"{name}-dead",
            queue_name=names.named(f"{name}-dead"),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            visibility_timeout=Duration.seconds(hidden_seconds),
            receive_message_wait_time=LONG_POLL,
            retention_period=DEAD_RETENTION,
            removal_policy=RemovalPolicy.DESTROY,
        )
