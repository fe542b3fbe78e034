"""What people are shown of the laptop's workers. Values only."""

from dataclasses import dataclass

from local.fargate import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A task of the laptop's Fargate that has not stopped."""

    #: The ARN's last part, enough to name it.
    task: str
    arn: str
    pool: str
    service: str
    capacity: str
    status: str
    desired_status: str
    protected: bool
    #: Seconds since 1970; 0 before it runs.
    started_at: float
    vcpu: float
    memory_mib: int
    log: str


def worker_of(run: Run) -> Worker:
    """What may be told of a task on this machine."""
    container = run.view.definition["containerDefinitions"][0]
    named = {one["name"]: one["value"] for one in container.get("environment", ())}
    record = run.record or run.view.record
    return Worker(
        task=record["taskArn"].rpartition("/")[2],
        arn=record["taskArn"],
        pool=named.get("MAYFLY_POOL", ""),
        service=record.get("group", "").removeprefix("service:"),
        capacity=record.get("capacityProviderName") or record.get("launchType", ""),
        status=record["lastStatus"],
        desired_status=record["desiredStatus"],
        protected=run.view.protected,
        started_at=run.view.started_at,
        vcpu=int(record.get("cpu", 0)) / 1024,
        memory_mib=int(record.get("memory", 0)),
        log=str(run.log),
    )
