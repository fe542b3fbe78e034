"""What wakes a person, each with what it means and what to do.

An alarm stands on one metric each, never on metric math: the embedded AWS knows only those.
Silence is no alarm: every one treats missing data as well.
"""

from collections.abc import Mapping, Sequence

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra import metrics, names
from infra.config import Pool
from infra.metrics import Published
from infra.queues import Queues


class Alarms(Construct):
    """Alarms on dead letters, waiting, errors, idle workers and the brake."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        queues: Queues,
        pools: Sequence[Pool],
        functions: Mapping[str, lambda_.Function],
        topic: str,
    ) -> None:
        super().__init__(scope, construct_id)
        self._action = (
            actions.SnsAction(sns.Topic.from_topic_arn(self, "topic", topic)) if topic else None
        )
        self.all: list[cloudwatch.Alarm] = []
        self._dead_letters(queues)
        self._waiting(queues)
        self._errors(functions)
        self._workers(pools)

    def _dead_letters(self, queues: Queues) -> None:
        for queue in queues.unconsumed_dead:
            source = queue.node.id.removesuffix("-dead")
            self._alarm(
                queue.node.id,
                metrics.depth(queue),
                f"A message on '{source}' failed in the completion handler every time and waits "
                "where nobody reads it. Its job is healed by the tick, but the message shows a "
                "bug: read it, read the handler's log of its time, and redrive it after the fix "
                "(mayfly redrive).",
            )
        for queue in queues.consumed_dead:
            self._alarm(
                queue.node.id,
                metrics.depth(queue),
                "The completion handler should have turned these dead letters into outcomes within "
                "minutes and has not: look at its errors first, then at the messages.",
                minutes=30,
            )

    def _waiting(self, queues: Queues) -> None:
        self._alarm(
            "requests-wait",
            metrics.age_seconds(queues.requests),
            "Requests have waited for ten minutes: the dispatcher fails, is throttled or is too "
            "slow. Look at its errors, then at the account's Lambda concurrency.",
            at_least=600,
            minutes=3,
        )
        self._alarm(
            "reports-wait",
            metrics.age_seconds(queues.done),
            "Workers' reports have waited for ten minutes, so finished jobs look unfinished and "
            "idle workers are not dismissed. Look at the completion handler's errors.",
            at_least=600,
            minutes=3,
        )

    def _errors(self, functions: Mapping[str, lambda_.Function]) -> None:
        for name, function in functions.items():
            self._alarm(
                f"{name}-errors",
                metrics.errors(function),
                f"The {name} raised or ran out of time. What it worked on is tried again, and the "
                "tick heals the rest; if it goes on, read the log for the sentence.",
                at_least=3,
            )

    def _workers(self, pools: Sequence[Pool]) -> None:
        for pool in pools:
            self._alarm(
                f"idle-workers-{pool.name}",
                metrics.published(Published.IDLE_WORKERS, statistic="Minimum", pool=pool.name),
                "Workers have been running for fifteen minutes while no job is open: money for "
                "nothing. See 'mayfly workers'; a service that the tick does not close can be "
                "deleted by hand.",
                minutes=15,
            )
            self._alarm(
                f"brake-{pool.name}",
                metrics.published(Published.BRAKE_PULLED, pool=pool.name),
                "Workers stopped again and again without taking work, so the pool was closed and "
                "its jobs failed. Usual causes: an image that cannot be pulled or is of the other "
                "architecture. Read the stopped tasks' reasons, deploy the fix, rerun the jobs.",
            )
        self._alarm(
            "wrong-token",
            metrics.published(Published.REPORTS_WITH_WRONG_TOKEN),
            "A report named a task without knowing its token, and changed nothing. Either a "
            "worker's queue permission is in strange hands or two versions disagree: see who "
            "sent it in the completion handler's log.",
        )

    def _alarm(
        self,
        name: str,
        metric: cloudwatch.Metric,
        description: str,
        *,
        at_least: int = 1,
        minutes: int = 1,
    ) -> None:
        alarm = metric.create_alarm(
            self,
            name,
            alarm_name=names.named(name),
            alarm_description=description,
            comparison_operator=(cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD),
            threshold=at_least,
            evaluation_periods=minutes,
            # With nothing to do, nothing is published.
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        if self._action is not None:
            alarm.add_alarm_action(self._action)
            alarm.add_ok_action(self._action)
        self.all.append(alarm)
