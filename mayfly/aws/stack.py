"""Puts one CloudFormation stack up and takes it down again, on AWS and on the laptop alike.

The stack is changed through a change set, so CloudFormation says what it would do before it does
it, and "nothing to do" is an answer instead of an error. Whoever calls sees every step as it
happens. It never builds or reads source code, and never touches a resource of another stack.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mayfly.aws import assets, cloudformation, leftovers
from mayfly.aws.assets import AssemblyUnreadable
from mayfly.aws.cloudformation import StackBusy, StackFailed, Step, Watcher

__all__ = [
    "AssemblyUnreadable",
    "Destroyed",
    "StackBusy",
    "StackFailed",
    "Step",
    "Watcher",
    "deploy",
    "destroy",
    "outputs",
]

#: The stack's own tag: where its assets are, so that destroying needs no assembly.
_ASSETS_TAG = "mayfly:assets"

#: A stack that never came to be holds nothing and cannot be updated: it makes room first.
_NEVER_WAS = frozenset({"ROLLBACK_COMPLETE", "CREATE_FAILED", "ROLLBACK_FAILED"})

#: A service can still hatch while we clear: whoever was planning when we paused finishes its call.
_CLEARINGS_MAX = 3


def _unwatched(_step: Step) -> None:
    """For callers who only want the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destroyed:
    """What is left after `destroy`."""

    #: A sentence for each thing that stays, and how to remove it.
    kept: tuple[str, ...]


def deploy(
    clients: assets.Clients,
    assembly_dir: Path,
    stack_name: str,
    *,
    parameters: Mapping[str, str] | None = None,
    on_event: Watcher = _unwatched,
    wait_seconds: float = cloudformation.WAIT_SECONDS,
) -> dict[str, str]:
    """Creates the stack or brings it up to date; returns its outputs.

    Raises `StackFailed` with the resource and the reason; CloudFormation has rolled back by then.
    """
    said = _sayer(stack_name, on_event)
    place = assets.Place.of(clients)
    assembly = assets.read_assembly(assembly_dir, place)
    cfn = clients("cloudformation")
    standing = cloudformation.describe(cfn, stack_name)
    if standing and standing["StackStatus"] in _NEVER_WAS:
        said("removes what a failed creation left")
        cloudformation.delete(cfn, standing["StackId"], on_event, wait_seconds)
        standing = None
    if standing:
        _refuse_busy(stack_name, standing["StackStatus"])
    assets.publish(clients, place, stack_name, assembly.assets, said)
    template = assembly.template_asset
    changed = cloudformation.apply(
        cfn,
        stack_name,
        template=template.source,
        template_url=f"{clients('s3').meta.endpoint_url}/{template.bucket}/{template.key}",
        parameters=parameters or {},
        tags={**assembly.tags, leftovers.STACK_TAG: stack_name, _ASSETS_TAG: template.bucket},
        on_event=on_event,
        wait_seconds=wait_seconds,
    )
    if not changed:
        said("is up to date")
    assets.prune(clients, place, stack_name, assembly.assets)
    return outputs(clients, stack_name)


def outputs(clients: assets.Clients, stack_name: str) -> dict[str, str]:
    """The stack's outputs; empty when there is no such stack."""
    standing = cloudformation.describe(clients("cloudformation"), stack_name) or {}
    return {item["OutputKey"]: item["OutputValue"] for item in standing.get("Outputs", [])}


def destroy(
    clients: assets.Clients,
    stack_name: str,
    *,
    before_delete: Callable[[], None] | None = None,
    delete_data: bool = False,
    drain_seconds: float = 600,
    on_event: Watcher = _unwatched,
    wait_seconds: float = cloudformation.WAIT_SECONDS,
) -> Destroyed:
    """Takes the stack down with everything that was hatched at run time.

    `before_delete` stops the planners (it writes the `paused` row), so that nothing hatches while
    we clear. Busy workers get `drain_seconds` to finish; then they are stopped, for a person asked.
    """
    said = _sayer(stack_name, on_event)
    cfn = clients("cloudformation")
    standing = cloudformation.describe(cfn, stack_name)
    if standing is None:
        said("is not there")
        return Destroyed(kept=())
    place = assets.Place.of(clients)
    known = {item["OutputKey"]: item["OutputValue"] for item in standing.get("Outputs", [])}
    data = {"Bucket": known.get("Bucket", ""), "ExpectedBucketOwner": place.account}
    if before_delete is not None:
        said("pauses, so that nothing new hatches")
        before_delete()
    logs = leftovers.unmanaged_logs(clients, standing["StackId"])
    for clearing in range(1, _CLEARINGS_MAX + 1):
        if cluster := known.get("Cluster"):
            leftovers.clear_services(clients, cluster, stack_name, said, drain_seconds)
        if delete_data and data["Bucket"] and leftovers.bucket_stands(clients, data):
            assets.empty_bucket(clients("s3"), data)
        try:
            cloudformation.delete(cfn, standing["StackId"], on_event, wait_seconds)
            break
        except StackFailed:
            if clearing == _CLEARINGS_MAX:
                raise
            said("clears once more")
    leftovers.remove_logs(clients, logs)
    for tag in standing.get("Tags", []):
        if tag["Key"] == _ASSETS_TAG and assets.release(clients, place, stack_name, tag["Value"]):
            said(f"removed the bucket {tag['Value']}")
    return Destroyed(kept=_kept(clients, data, delete_data))


def _kept(clients: assets.Clients, data: Mapping[str, str], delete_data: bool) -> tuple[str, ...]:
    """The bucket of uploads and outputs outlives its stack, unless somebody said otherwise."""
    if not data["Bucket"] or not leftovers.bucket_stands(clients, data):
        return ()
    if delete_data:
        assets.empty_bucket(clients("s3"), data)
        clients("s3").delete_bucket(**data)
        return ()
    remove = f"aws s3 rb --force s3://{data['Bucket']}"
    sentence = f"The bucket {data['Bucket']} stays, with your uploads and outputs"
    return (f"{sentence}. To remove it with everything in it: {remove}",)


def _refuse_busy(stack_name: str, status: str) -> None:
    if status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
        raise StackBusy(f"Stack {stack_name} is {status}: wait until that is done, then try again.")
    if status.endswith("_FAILED"):
        raise StackBusy(
            f"Stack {stack_name} is {status}, which only a person can judge: see its events in the "
            "CloudFormation console, continue the rollback there, or run `make destroy`."
        )


def _sayer(stack_name: str, on_event: Watcher) -> Callable[[str], None]:
    return lambda sentence: on_event(Step(name=stack_name, kind="", status=sentence))
