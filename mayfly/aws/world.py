"""All ports on AWS, from a Lambda's settings. Makes no call and no client: they make themselves
when first used."""

from collections.abc import Callable
from typing import Any

from mayfly.aws import clients
from mayfly.aws.clock import SystemClock, SystemDice
from mayfly.aws.dynamodb import DynamoTable
from mayfly.aws.ecs import EcsServices
from mayfly.aws.events import EventBus
from mayfly.aws.s3 import S3Store
from mayfly.aws.signer import StsSigner
from mayfly.aws.sqs import SqsQueue
from mayfly.contract.settings import FunctionSettings
from mayfly.perform.world import World

GetClient = Callable[[str], Any]


def aws_world(settings: FunctionSettings, client: GetClient = clients.of) -> World:
    """The world as the settings name it, with clients that make themselves when first used."""
    clock = SystemClock()
    return World(
        settings=settings,
        table=DynamoTable(client("dynamodb"), settings.table),
        jobs_queues={
            pool.name: SqsQueue(client("sqs"), pool.jobs_queue_url) for pool in settings.pools
        },
        done_queue=SqsQueue(client("sqs"), settings.done_queue_url),
        signer=StsSigner(client("sts"), settings.signer_role_arn, clock),
        services=EcsServices(
            client("ecs"),
            cluster=settings.cluster,
            stack=settings.stack,
            subnets=settings.subnets,
            security_groups=settings.security_groups,
            assign_public_ip=settings.assign_public_ip,
        ),
        store=S3Store(client("s3")),
        bus=EventBus(client("events"), settings.event_bus),
        clock=clock,
        dice=SystemDice(),
    )
