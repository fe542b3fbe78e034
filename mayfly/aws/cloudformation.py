"""The conversation with CloudFormation: what stands, what would change, and every step until done.

The end of an operation is read from the stack's events, not from its status: right after a change
set is started, the status still tells of the operation before. It never decides what to deploy.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

#: CloudFormation gives up on a resource by itself; this is for a stack that never says so.
WAIT_SECONDS = 3600

#: Steps of the laptop's AWS take a second and those of AWS minutes: the pause grows between polls.
_PAUSE_FIRST_SECONDS = 0.1
_PAUSE_LAST_SECONDS = 5.0

_STACK_TYPE = "AWS::CloudFormation::Stack"
_ENDED_WELL = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE"})
_NOTHING_TO_DO = ("didn't contain changes", "No updates are to be performed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something that happened on the way: a resource's new status, or a sentence of ours."""

    #: The resource's logical name, or the stack's.
    name: str
    #: Its CloudFormation type; empty when the step is ours.
    kind: str
    status: str
    reason: str = ""


Watcher = Callable[[Step], None]


class StackFailed(Exception):
    """CloudFormation could not do it: which resource stood in the way, and why."""

    def __init__(self, *, stack: str, status: str, resource: str, reason: str) -> None:
        self.stack = stack
        self.status = status
        self.resource = resource
        self.reason = reason
        super().__init__(f"Stack {stack} ended as {status}. {resource}: {reason}")


class StackBusy(Exception):
    """Somebody else is changing the stack, or it waits for a person."""


def describe(cloudformation: Any, stack: str) -> dict[str, Any] | None:
    """The stack as it stands, by name or by id; None when there is none."""
    try:
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if "does not exist" in error.response["Error"].get("Message", ""):
            return None
        raise
    return dict(found[0]) if found else None


@dataclass(slots=True, kw_only=True)
class Watch:
    """Tells one operation's steps as they happen; made before the operation begins."""

    cloudformation: Any
    stack_id: str
    on_event: Watcher
    _seen: set[str] = field(default_factory=set)
    _failures: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._new_events()

    def until_done(self, wait_seconds: float) -> None:
        """Returns when the operation ended well; raises `StackFailed` when it did not."""
        for _ in pauses(wait_seconds):
            for event in self._new_events():
                ended = self._tell(event)
                if ended in _ENDED_WELL:
                    return
                if ended:
                    raise self._failed(ended)
        raise self._failed("unfinished")

    def _new_events(self) -> list[dict[str, Any]]:
        """Events not told yet, oldest first; CloudFormation lists the newest first."""
        new: list[dict[str, Any]] = []
        pages = self.cloudformation.get_paginator("describe_stack_events")
        for page in pages.paginate(StackName=self.stack_id):
            fresh = [event for event in page["StackEvents"] if event["EventId"] not in self._seen]
            new.extend(fresh)
            if len(fresh) < len(page["StackEvents"]):
                break
        self._seen.update(event["EventId"] for event in new)
        return new[::-1]

    def _tell(self, event: Mapping[str, Any]) -> str:
        """The status in which the whole operation ended, or nothing while it goes on."""
        step = Step(
            name=event["LogicalResourceId"],
            kind=event["ResourceType"],
            status=event["ResourceStatus"],
            reason=event.get("ResourceStatusReason", ""),
        )
        self.on_event(step)
        if step.kind == _STACK_TYPE and event.get("PhysicalResourceId") == self.stack_id:
            return "" if step.status.endswith("_IN_PROGRESS") else step.status
        # A resource that was cancelled because another failed is an echo of that failure.
        if step.status.endswith("_FAILED") and "cancelled" not in step.reason:
            self._failures.append(step)
        return ""

    def _failed(self, status: str) -> StackFailed:
        first = self._failures[0] if self._failures else None
        return StackFailed(
            stack=self.stack_id.split("/")[1],
            status=status,
            resource=f"{first.name} ({first.kind})" if first else "no resource",
            reason=first.reason if first else "see the stack's events",
        )


def apply(
    cloudformation: Any,
    stack_name: str,
    *,
    template: Path,
    template_url: str,
    parameters: Mapping[str, str],
    tags: Mapping[str, str],
    on_event: Watcher,
    wait_seconds: float,
) -> bool:
    """Makes the stack what the template says; false when it already was."""
    standing = describe(cloudformation, stack_name)
    fresh = standing is None or standing["StackStatus"] == "REVIEW_IN_PROGRESS"
    made = cloudformation.create_change_set(
        StackName=stack_name,
        ChangeSetName=f"mayfly-{uuid.uuid4()}",
        ChangeSetType="CREATE" if fresh else "UPDATE",
        TemplateURL=template_url,
        Parameters=_parameters(template, parameters, fresh=fresh),
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
        Tags=[{"Key": key, "Value": value} for key, value in sorted(tags.items())],
    )
    change_set = {"StackName": made["StackId"], "ChangeSetName": made["Id"]}
    refused = _refusal(cloudformation, change_set, wait_seconds)
    if refused:
        cloudformation.delete_change_set(**change_set)
        if any(words in refused for words in _NOTHING_TO_DO):
            return False
        if fresh:
            cloudformation.delete_stack(StackName=made["StackId"])
        raise StackFailed(
            stack=stack_name, status="CHANGE_SET_FAILED", resource="template", reason=refused
        )
    watch = Watch(cloudformation=cloudformation, stack_id=made["StackId"], on_event=on_event)
    cloudformation.execute_change_set(**change_set)
    watch.until_done(wait_seconds)
    return True


def delete(cloudformation: Any, stack_id: str, on_event: Watcher, wait_seconds: float) -> None:
    """Deletes the stack and waits for the end."""
    watch = Watch(cloudformation=cloudformation, stack_id=stack_id, on_event=on_event)
    cloudformation.delete_stack(StackName=stack_id)
    watch.until_done(wait_seconds)


def _refusal(cloudformation: Any, change_set: Mapping[str, str], wait_seconds: float) -> str:
    """Why the change set cannot be run; nothing when it can."""
    for _ in pauses(wait_seconds):
        found = cloudformation.describe_change_set(**change_set)
        if found["Status"] == "CREATE_COMPLETE":
            return ""
        if found["Status"] == "FAILED":
            return found.get("StatusReason") or "CloudFormation gave no reason"
    return f"the change set was not ready within {wait_seconds:.0f} s"


def _parameters(
    template: Path, given: Mapping[str, str], *, fresh: bool
) -> list[dict[str, str | bool]]:
    """What was given; else the template's default; else, in an update, what it was before."""
    declared = json.loads(template.read_bytes()).get("Parameters", {})
    kept = [n for n, p in declared.items() if n not in given and "Default" not in p]
    asked: list[dict[str, str | bool]] = [
        {"ParameterKey": name, "ParameterValue": value} for name, value in sorted(given.items())
    ]
    if not fresh:
        asked += [{"ParameterKey": name, "UsePreviousValue": True} for name in sorted(kept)]
    return asked


def pauses(wait_seconds: float) -> Iterator[None]:
    """Turns of a loop with growing pauses between them, until the time is up."""
    deadline = time.monotonic() + wait_seconds
    pause_seconds = _PAUSE_FIRST_SECONDS
    while True:
        yield
        if time.monotonic() >= deadline:
            return
        time.sleep(pause_seconds)
        pause_seconds = min(pause_seconds * 1.5, _PAUSE_LAST_SECONDS)
