"""What wakes the completion handler besides queues: the tick, and what ECS says of our tasks.

ECS events go through a queue, not straight to the function, so that a burst of a thousand task
stops is a batch job and a failing handler loses none.
"""

from aws_cdk import Aws, Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra import names
from mayfly.core import limits

#: What the handler tells the tick by.
TICK = {"mayfly": "tick"}


class Tick(Construct):
    """Once a minute: heal what a lost event left, close what is idle, count what is open."""

    def __init__(self, scope: Construct, construct_id: str, *, function: lambda_.Function) -> None:
        super().__init__(scope, construct_id)
        # A tick that failed or came late is not tried again: the next one asks the same.
        function.configure_async_invoke(
            retry_attempts=0, max_event_age=Duration.seconds(limits.TICK_SECONDS)
        )
        events.Rule(
            self,
            "rule",
            rule_name=names.named("tick"),
            description="Mayfly's tick: level-triggered healing, a minute at most behind.",
            schedule=events.Schedule.rate(Duration.seconds(limits.TICK_SECONDS)),
            targets=[
                targets.LambdaFunction(
                    function,
                    event=events.RuleTargetInput.from_object(TICK),
                    retry_attempts=0,
                    max_event_age=Duration.seconds(limits.TICK_SECONDS),
                )
            ],
        )


class TaskEvents(Construct):
    """Starts, stops, interruptions and refusals of our cluster's tasks, into a queue."""

    def __init__(
        self, scope: Construct, construct_id: str, *, queue: sqs.Queue, cluster_arn: str
    ) -> None:
        super().__init__(scope, construct_id)
        rules = (
            self._rule(
                "tasks",
                "Workers that started, were interrupted or stopped; the way to billed seconds.",
                detail_type="ECS Task State Change",
                # The steps between say nothing that these two do not: an announced interruption
                # comes with lastStatus RUNNING.
                detail={"clusterArn": [cluster_arn], "lastStatus": ["RUNNING", "STOPPED"]},
            ),
            self._rule(
                "services",
                "No Spot capacity, no quota, tasks that cannot start.",
                detail_type="ECS Service Action",
                detail={"clusterArn": [cluster_arn], "eventType": ["WARN", "ERROR"]},
            ),
        )
        queue.add_to_resource_policy(
            iam.PolicyStatement(
                sid="EventsOfThisCluster",
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[queue.queue_arn],
                conditions={
                    "ArnEquals": {"aws:SourceArn": [rule.attr_arn for rule in rules]},
                    "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
                },
            )
        )
        for rule in rules:
            rule.targets = [events.CfnRule.TargetProperty(id="events-queue", arn=queue.queue_arn)]

    def _rule(
        self, name: str, description: str, *, detail_type: str, detail: dict[str, list[str]]
    ) -> events.CfnRule:
        # The plain resource: CDK's SQS target writes one policy statement a rule and grants
        # EventBridge the right to read the queue's attributes too.
        return events.CfnRule(
            self,
            name,
            name=names.named(f"ecs-{name}"),
            description=description,
            event_pattern={
                "source": ["aws.ecs"],
                "detail-type": [detail_type],
                "detail": detail,
            },
        )
