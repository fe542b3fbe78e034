"""The dashboard, read from the top: is anything stuck, what is running, what failed, what does it
cost.
"""

from collections.abc import Sequence

from aws_cdk import Aws, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra import metrics
from infra.config import Pool
from infra.metrics import Published
from infra.queues import Queues

#: Columns of a CloudWatch dashboard.
WIDTH = 24

#: Fargate Spot in us-east-1, x86-64, US dollars an hour (2026; it moves slowly and differs by
#: region), and a public IPv4 address. Good for a picture; receipts know better.
SPOT_VCPU_HOUR_USD = 0.0126
SPOT_GIB_HOUR_USD = 0.00137
ADDRESS_HOUR_USD = 0.005


class Dashboard(Construct):
    """One page for whoever is called at night."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        queues: Queues,
        pools: Sequence[Pool],
        functions: Sequence[lambda_.Function],
        alarms: Sequence[cloudwatch.Alarm],
    ) -> None:
        super().__init__(scope, construct_id)
        self._queues = queues
        self._pools = pools
        self._functions = functions
        self.dashboard = cloudwatch.Dashboard(
            self,
            "dashboard",
            dashboard_name=Aws.STACK_NAME,
            default_interval=Duration.hours(3),
        )
        self._is_anything_stuck(alarms)
        self._what_is_running()
        self._what_failed()
        self._what_does_it_cost()

    def _is_anything_stuck(self, alarms: Sequence[cloudwatch.Alarm]) -> None:
        queues = self._queues
        dead = [*queues.consumed_dead, *queues.unconsumed_dead]
        self._row(
            "## Is anything stuck?\nDepth is what waits on a queue; the backlog of open tasks is "
            "below. Dead letters of `done` and `events` wait for a person.",
            cloudwatch.AlarmStatusWidget(title="Alarms", alarms=list(alarms), width=6, height=6),
            _graph("Waiting messages", [metrics.depth(queue) for queue in queues.live]),
            _graph("Oldest message, seconds", [metrics.age_seconds(q) for q in queues.live]),
            _graph("Dead letters", [metrics.depth(queue) for queue in dead]),
        )
        self.dashboard.add_widgets(
            _graph("Oldest dead letter, seconds", [metrics.age_seconds(q) for q in dead]),
            _graph(
                "What the tick had to mend",
                [
                    *self._by_pool(Published.IDLE_WORKERS),
                    *self._by_pool(Published.BRAKE_PULLED),
                    *self._by_pool(Published.BACKUP_ATTEMPTS),
                    metrics.published(Published.UNKNOWN_SERVICES_DELETED),
                    metrics.published(Published.UPLOADS_RECONCILED),
                    metrics.published(Published.REPORTS_WITH_WRONG_TOKEN),
                ],
            ),
        )

    def _what_is_running(self) -> None:
        self._row(
            "## What is running?",
            _graph(
                "Workers, and those of them on-demand",
                [
                    *self._by_pool(Published.WORKERS_RUNNING),
                    *self._by_pool(Published.ON_DEMAND_WORKERS),
                ],
            ),
            _graph("Open tasks (backlog)", self._by_pool(Published.OPEN_TASKS)),
            _graph("Open jobs", self._by_pool(Published.OPEN_JOBS)),
            _graph("Jobs by state", [metrics.by(Published.JOBS_BY_STATE, "state")]),
        )
        self.dashboard.add_widgets(
            _graph(
                "Time to outcome, seconds",
                [
                    metrics.published(Published.TIME_TO_OUTCOME, statistic=statistic)
                    for statistic in ("p50", "p90", "Maximum")
                ],
            ),
            _graph("Jobs succeeded", [metrics.published(Published.JOBS_SUCCEEDED)]),
        )

    def _what_failed(self) -> None:
        self._row(
            "## What failed?\nA code is explained by `mayfly status`; interruptions are no "
            "failures, their tasks went to another worker.",
            _graph("Jobs failed, by code", [metrics.by(Published.JOBS_FAILED, "code")]),
            _graph("Spot interruptions", [metrics.published(Published.SPOT_INTERRUPTIONS)]),
            _graph(
                "Function errors",
                [metrics.errors(function) for function in self._functions],
            ),
            _graph(
                "Function throttles",
                [function.metric_throttles(period=metrics.MINUTE) for function in self._functions],
            ),
        )

    def _what_does_it_cost(self) -> None:
        self._row(
            "## What does it cost?\nWorkers at about the Spot price of us-east-1, with their "
            "addresses (on-demand ones cost about three times that); a job's receipt has the "
            "billed seconds.",
            _graph("Workers, about dollars an hour", [self._dollars_an_hour()]),
            _graph(
                "Function time, ms a minute",
                [
                    function.metric_duration(statistic="Sum", period=metrics.MINUTE)
                    for function in self._functions
                ],
            ),
            _graph(
                "Messages sent",
                [
                    queue.metric_number_of_messages_sent(period=metrics.MINUTE)
                    for queue in self._queues.live
                ],
            ),
        )

    def _by_pool(self, metric: Published) -> list[cloudwatch.IMetric]:
        return [
            metrics.published(metric, statistic="Maximum", pool=pool.name) for pool in self._pools
        ]

    def _dollars_an_hour(self) -> cloudwatch.IMetric:
        workers = self._by_pool(Published.WORKERS_RUNNING)
        terms = [
            f"FILL(m{index}, 0) * {_worker_hour_usd(pool):.5f}"
            for index, pool in enumerate(self._pools)
        ]
        return cloudwatch.MathExpression(
            expression=" + ".join(terms),
            using_metrics={f"m{index}": metric for index, metric in enumerate(workers)},
            label="about $/h",
            period=metrics.MINUTE,
        )

    def _row(self, text: str, *widgets: cloudwatch.IWidget) -> None:
        self.dashboard.add_widgets(cloudwatch.TextWidget(markdown=text, width=WIDTH, height=2))
        self.dashboard.add_widgets(*widgets)


def _worker_hour_usd(pool: Pool) -> float:
    memory = pool.memory_mib / 1024 * SPOT_GIB_HOUR_USD
    return pool.vcpu * SPOT_VCPU_HOUR_USD + memory + ADDRESS_HOUR_USD


def _graph(title: str, lines: Sequence[cloudwatch.IMetric]) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title=title,
        left=list(lines),
        left_y_axis=cloudwatch.YAxisProps(min=0, show_units=False),
        width=6,
        height=6,
    )
