"""The two Lambdas: their code, their roles, their logs, and the queues that wake them.

Powers beyond writing their own log are granted by the stack, from `infra.grants`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra import names
from infra.acknowledge import acknowledge
from infra.permission import allow
from mayfly.core import limits

_ARCHITECTURE = {
    "arm64": lambda_.Architecture.ARM_64,
    "x86_64": lambda_.Architecture.X86_64,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What both functions have in common."""

    build_dir: Path
    architecture: str
    memory_mib: int
    log_retention: logs.RetentionDays


class Function(Construct):
    """One Lambda; its handler's name is its import path in the repository."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        package: str,
        timeout_seconds: int,
        shape: Shape,
    ) -> None:
        super().__init__(scope, construct_id)
        name = package.replace("_", "-")
        log_group = logs.LogGroup(
            self,
            "log",
            log_group_name=f"/mayfly/{names.named(name)}",
            retention=shape.log_retention,
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.role = iam.Role(self, "role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        # Not the managed policy: that may create and write every log group of the account.
        log_group.grant_write(self.role)
        self.function = lambda_.Function(
            self,
            "function",
            function_name=names.named(name),
            # The newest that AWS Lambda runs and that our wheels are locked for.
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=_ARCHITECTURE[shape.architecture],
            handler=f"{package}.handler.handler",
            code=lambda_.Code.from_asset(str(shape.build_dir / package)),
            memory_size=shape.memory_mib,
            timeout=Duration.seconds(timeout_seconds),
            role=self.role,
            log_group=log_group,
        )
        # CDK has the function wait for its role's policies, and names the role once too often.
        resource = cast(lambda_.CfnFunction, self.function.node.default_child)
        resource.add_metadata("cfn-lint", {"config": {"ignore_checks": ["W3005"]}})
        acknowledge(
            self.function,
            "L1",
            why="Python 3.13 is chosen: the wheels in the package are locked and tested for it.",
        )

    def configure(self, variables: Mapping[str, str]) -> None:
        """Sets the environment, which knows roles that in turn know this function's role."""
        for key, value in variables.items():
            self.function.add_environment(key, value)

    def consume(self, queue: sqs.Queue, *, invocations_max: int) -> None:
        """Wakes the function for messages; those it reports as failed come back, alone."""
        lambda_.EventSourceMapping(
            self,
            f"from-{queue.node.id}",
            target=self.function,
            event_source_arn=queue.queue_arn,
            batch_size=limits.BATCH_MAX,
            report_batch_item_failures=True,
            # Low and fixed: more would only meet each other in the job table. Not reserved
            # concurrency, with which SQS's pollers burn receives on throttles.
            max_concurrency=invocations_max,
        )
        allow(
            self.role,
            f"Consume{''.join(part.capitalize() for part in queue.node.id.split('-'))}",
            actions=[
                "sqs:ReceiveMessage",
                "sqs:DeleteMessage",
                "sqs:GetQueueAttributes",
                # For handlers that want a failed message back sooner than six timeouts later.
                "sqs:ChangeMessageVisibility",
            ],
            on=[queue.queue_arn],
        )
