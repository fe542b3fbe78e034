"""The numbers that dashboards and alarms read: AWS's own, and those that the functions publish in
their logs (CloudWatch embedded metric format) under the namespace `Mayfly`.

Every published metric carries the dimension `stack`, alone or with one more. No metric here has a
label: CDK writes an alarm on a labelled metric as metric math.
"""

from enum import StrEnum

from aws_cdk import Aws, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs

NAMESPACE = "Mayfly"

MINUTE = Duration.minutes(1)
FIVE_MINUTES = Duration.minutes(5)


class Published(StrEnum):
    """Metrics of the functions, with the dimensions beside `stack` in brackets."""

    JOBS_SUCCEEDED = "JobsSucceeded"
    JOBS_FAILED = "JobsFailed"  # once alone, once with [code]
    TIME_TO_OUTCOME = "TimeToOutcomeSeconds"
    SPOT_INTERRUPTIONS = "SpotInterruptions"
    OPEN_JOBS = "OpenJobs"  # [pool], every tick
    OPEN_TASKS = "OpenTasks"  # [pool], every tick
    WORKERS_RUNNING = "WorkersRunning"  # [pool], every tick
    ON_DEMAND_WORKERS = "OnDemandWorkers"  # [pool], ticks that see some
    IDLE_WORKERS = "IdleWorkers"  # [pool], ticks that see workers run while no job is open
    JOBS_BY_STATE = "JobsByState"  # [state], every tick
    BACKUP_ATTEMPTS = "BackupAttempts"  # [pool]
    BRAKE_PULLED = "BrakePulled"  # [pool]
    REPORTS_WITH_WRONG_TOKEN = "ReportsWithWrongToken"  # noqa: S105, a metric's name
    UNKNOWN_SERVICES_DELETED = "UnknownServicesDeleted"
    UPLOADS_RECONCILED = "UploadsReconciled"


def published(
    metric: Published,
    *,
    statistic: str = "Sum",
    period: Duration = MINUTE,
    **dimensions: str,
) -> cloudwatch.Metric:
    """A metric of ours."""
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=metric.value,
        dimensions_map={"stack": Aws.STACK_NAME, **dimensions},
        statistic=statistic,
        period=period,
    )


def by(metric: Published, dimension: str, *, statistic: str = "Sum") -> cloudwatch.MathExpression:
    """A metric of ours, one line for each value that a dimension ever took."""
    return cloudwatch.MathExpression(
        expression=(
            f'SEARCH(\'{{{NAMESPACE},stack,{dimension}}} MetricName="{metric.value}" '
            f"stack=\"{Aws.STACK_NAME}\"', '{statistic}', {int(MINUTE.to_seconds())})"
        ),
        using_metrics={},
        label="",
        period=MINUTE,
    )


def depth(queue: sqs.Queue) -> cloudwatch.Metric:
    """Messages that wait."""
    return queue.metric_approximate_number_of_messages_visible(statistic="Maximum", period=MINUTE)


def age_seconds(queue: sqs.Queue) -> cloudwatch.Metric:
    """How long the oldest message has been there."""
    return queue.metric_approximate_age_of_oldest_message(statistic="Maximum", period=MINUTE)


def errors(function: lambda_.Function) -> cloudwatch.Metric:
    """Invocations that raised or ran out of time."""
    return function.metric_errors(statistic="Sum", period=FIVE_MINUTES)
