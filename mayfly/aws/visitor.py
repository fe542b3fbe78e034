"""A person's way into a stack: from its outputs to the ports that the console speaks through.

A visitor is no Lambda: it has its own credentials, cannot sign grants (the signer role trusts the
Lambdas alone) and hatches no services. The clients are handed in, so that the same way leads into
an account and into a laptop.
"""

from collections.abc import Callable, Mapping
from typing import Any

from mayfly.aws import clients, errors, stack
from mayfly.aws.sqs import SqsQueue
from mayfly.aws.world import aws_world
from mayfly.contract.settings import FunctionSettings, pools_from_json
from mayfly.perform.world import World

MakeClient = Callable[[str], Any]


class Late:
    """A client that is made by its first call: most commands need one of six."""

    __slots__ = ("_made", "_make", "_service")

    def __init__(self, make: MakeClient, service: str) -> None:
        self._make = make
        self._service = service
        self._made: Any = None

    def __getattr__(self, name: str) -> Any:
        if self._made is None:
            self._made = self._make(self._service)
        return getattr(self._made, name)


def outputs_on_aws(name: str) -> dict[str, str]:
    """The outputs of a stack where the AWS environment points; empty when there is none.

    Raises Temporary, Refused.
    """
    with errors.judging("DescribeStacks"):
        return stack.outputs(clients.make, name)


def settings_of(name: str, outputs: Mapping[str, str]) -> FunctionSettings:
    """What a visitor may know of the Lambdas' settings. Raises KeyError for a stranger's stack."""
    return FunctionSettings(
        stack=name,
        table=outputs["Table"],
        bucket=outputs["Bucket"],
        requests_queue_url=outputs["RequestsQueueUrl"],
        done_queue_url=outputs["DoneQueueUrl"],
        signer_role_arn="",
        cluster=outputs["Cluster"],
        subnets=(),
        security_groups=(),
        assign_public_ip=False,
        default_preset=outputs["DefaultPreset"],
        pools=pools_from_json(outputs["Pools"]),
        event_bus=outputs["EventBus"],
    )


def world_of(settings: FunctionSettings, make: MakeClient) -> World:
    """The ports. Makes no call and no client."""
    return aws_world(settings, lambda service: Late(make, service))


def queue_urls(settings: FunctionSettings) -> dict[str, str]:
    """Every queue of the stack by its short name, each followed by its dead letters.

    All are named `<stack>-<short name>` in one account and region, so one URL tells the others.
    """
    start = settings.requests_queue_url.removesuffix("requests")
    jobs = [f"jobs-{pool.name}" for pool in settings.pools]
    names = [each for name in ("requests", *jobs, "done", "events") for each in (name, _dead(name))]
    return {name: start + name for name in names}


def queues_of(settings: FunctionSettings, make: MakeClient) -> dict[str, SqsQueue]:
    """Every queue of the stack by its short name."""
    sqs = Late(make, "sqs")
    return {name: SqsQueue(sqs, url) for name, url in queue_urls(settings).items()}


def _dead(name: str) -> str:
    return f"{name}-dead"
