"""Finds the stack that a command speaks to: the running laptop cloud, else the one on AWS.

A stack is its settings and the ports to it; commands know nothing else of where it stands.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from console.ends import NoStack

if TYPE_CHECKING:
    from mayfly.aws.census import TaskSeen
    from mayfly.core.rows import JobHead
    from mayfly.perform.ports import Queue
    from mayfly.perform.world import World

#: The name of a stack that nobody named.
DEFAULT_NAME = "mayfly"


class Cargo(Protocol):
    """Whole files to and from the stack's bucket."""

    def upload(self, path: Path, key: str, on_bytes: Callable[[int], None]) -> None:
        """Leaves nothing when interrupted."""

    def download(self, key: str, path: Path, on_bytes: Callable[[int], None]) -> None:
        """The file appears whole or not at all."""


class Census(Protocol):
    """The cluster's tasks, as ECS says."""

    def tasks(self) -> "Sequence[TaskSeen]":
        """Those that have not stopped."""


class History(Protocol):
    """The stack's jobs."""

    def jobs(self, limit: int) -> "Sequence[JobHead]":
        """The newest."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A stack within reach."""

    name: str
    #: For people: "the laptop cloud", "AWS".
    where: str
    world: "World"
    #: Every queue by its short name (`requests`, `requests-dead`, …).
    queues: "Mapping[str, Queue]"
    census: Census
    history: History
    cargo: Cargo

    @property
    def bucket(self) -> str:
        """Of uploads and outputs."""
        return self.world.settings.bucket


def reach(name: str | None) -> Stack:
    """The running laptop cloud, unless another stack is named; else AWS. Raises NoStack."""
    facts = laptop_facts()
    if facts is not None and name in (None, facts.stack):
        from local import cloud

        return of_laptop(cloud.AttachedCloud(facts))
    return on_aws(name or DEFAULT_NAME, laptop=facts.stack if facts is not None else None)


def laptop_facts() -> Any:
    """What is known of the running laptop cloud; None when none runs."""
    from local import standing

    try:
        return standing.find()
    except standing.NothingStands:
        return None


def of_laptop(cloud: Any) -> Stack:
    """The stack in a laptop cloud, of this process or of another."""
    from mayfly.aws import visitor

    name = getattr(getattr(cloud, "facts", None), "stack", DEFAULT_NAME)
    settings = visitor.settings_of(name, cloud.outputs)
    return _stack(settings, cloud.client, "the laptop cloud")


def on_aws(name: str, *, laptop: str | None = None) -> Stack:
    """The stack of an account; `laptop` is what the running laptop cloud's is called.

    Raises NoStack.
    """
    from mayfly.aws import clients, errors, visitor

    here = f"The laptop cloud's stack is {laptop}" if laptop else "No laptop cloud is running"
    start = (
        "Start one on this machine with `mayfly local up`, or in your account with `make deploy`"
    )
    try:
        outputs = visitor.outputs_on_aws(name)
    except errors.Refused as error:
        raise NoStack(
            f"{here}, and AWS cannot be asked for a stack {name}: {error}",
            f"{start}; for AWS set AWS_REGION and credentials (AWS_PROFILE).",
        ) from None
    if not outputs:
        raise NoStack(
            f"{here}, and there is no stack {name} on AWS.",
            f"{start}; another stack is named with --stack or MAYFLY_STACK.",
        )
    try:
        settings = visitor.settings_of(name, outputs)
    except KeyError as missing:
        raise NoStack(
            f"The stack {name} is not one of Mayfly's: it has no output {missing}.",
            "Name another with --stack or MAYFLY_STACK.",
        ) from None
    return _stack(settings, clients.make, "AWS")


def _stack(settings: Any, make: Callable[[str], Any], where: str) -> Stack:
    from mayfly.aws import census, history, transfer, visitor

    return Stack(
        name=settings.stack,
        where=where,
        world=visitor.world_of(settings, make),
        queues=visitor.queues_of(settings, make),
        census=census.Census(visitor.Late(make, "ecs"), settings.cluster),
        history=history.History(visitor.Late(make, "dynamodb"), settings.table),
        cargo=transfer.Cargo(visitor.Late(make, "s3"), settings.bucket),
    )
