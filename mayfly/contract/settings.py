"""What each deployable is told by its environment: the template writes with the class that the
code reads with, so the two cannot drift.

Values only. It never reads the process's environment itself; edges hand in a mapping.
"""

from collections.abc import Mapping

import msgspec


class PoolSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One task size and what belongs to it."""

    name: str
    jobs_queue_url: str
    #: With its revision: a service of an older revision retires.
    task_definition: str
    vcpu: float
    memory_mib: int
    workers_max: int
    architecture: str = "x86_64"
    dead_letter_queue_url: str = ""
    #: On-demand workers stand in when Spot gave too few for this long; 0 is never.
    on_demand_after_seconds: int = 0


class FunctionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The environment of both Lambdas."""

    stack: str
    table: str
    bucket: str
    requests_queue_url: str
    done_queue_url: str
    signer_role_arn: str
    cluster: str
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    assign_public_ip: bool
    default_preset: str
    pools: tuple[PoolSettings, ...]
    event_bus: str = "default"
    #: Long jobs should be done so long after their acceptance; 0: each task gets a worker.
    finish_seconds: int = 0
    #: Workers called beside the first for a large source that nobody has looked at yet.
    foreseen_workers_max: int = 0
    #: What such a source is assumed to spend.
    source_bits_per_pixel: float = 0.5
    #: What all workers may use together, by Spot and on-demand; 0 is not bounded.
    spot_vcpu_quota: int = 0
    on_demand_vcpu_quota: int = 0
    #: What they may cost an hour at list prices; 0 is not bounded.
    dollars_per_hour_max: float = 0.0

    def to_env(self) -> dict[str, str]:
        """The variables that `from_env` reads."""
        return {
            "MAYFLY_STACK": self.stack,
            "MAYFLY_TABLE": self.table,
            "MAYFLY_BUCKET": self.bucket,
            "MAYFLY_REQUESTS_QUEUE_URL": self.requests_queue_url,
            "MAYFLY_DONE_QUEUE_URL": self.done_queue_url,
            "MAYFLY_SIGNER_ROLE_ARN": self.signer_role_arn,
            "MAYFLY_CLUSTER": self.cluster,
            "MAYFLY_SUBNETS": ",".join(self.subnets),
            "MAYFLY_SECURITY_GROUPS": ",".join(self.security_groups),
            "MAYFLY_ASSIGN_PUBLIC_IP": "true" if self.assign_public_ip else "false",
            "MAYFLY_DEFAULT_PRESET": self.default_preset,
            "MAYFLY_EVENT_BUS": self.event_bus,
            "MAYFLY_POOLS": pools_to_json(self.pools),
            "MAYFLY_FINISH_SECONDS": str(self.finish_seconds),
            "MAYFLY_FORESEEN_WORKERS_MAX": str(self.foreseen_workers_max),
            "MAYFLY_SOURCE_BITS_PER_PIXEL": str(self.source_bits_per_pixel),
            "MAYFLY_SPOT_VCPU_QUOTA": str(self.spot_vcpu_quota),
            "MAYFLY_ON_DEMAND_VCPU_QUOTA": str(self.on_demand_vcpu_quota),
            "MAYFLY_DOLLARS_PER_HOUR_MAX": str(self.dollars_per_hour_max),
        }

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "FunctionSettings":
        """Raises KeyError naming the variable that is missing."""
        return cls(
            stack=env["MAYFLY_STACK"],
            table=env["MAYFLY_TABLE"],
            bucket=env["MAYFLY_BUCKET"],
            requests_queue_url=env["MAYFLY_REQUESTS_QUEUE_URL"],
            done_queue_url=env["MAYFLY_DONE_QUEUE_URL"],
            signer_role_arn=env["MAYFLY_SIGNER_ROLE_ARN"],
            cluster=env["MAYFLY_CLUSTER"],
            subnets=_split(env["MAYFLY_SUBNETS"]),
            security_groups=_split(env["MAYFLY_SECURITY_GROUPS"]),
            assign_public_ip=env["MAYFLY_ASSIGN_PUBLIC_IP"] == "true",
            default_preset=env["MAYFLY_DEFAULT_PRESET"],
            event_bus=env.get("MAYFLY_EVENT_BUS", "default"),
            pools=pools_from_json(env["MAYFLY_POOLS"]),
            finish_seconds=int(env.get("MAYFLY_FINISH_SECONDS", "0")),
            foreseen_workers_max=int(env.get("MAYFLY_FORESEEN_WORKERS_MAX", "0")),
            source_bits_per_pixel=float(env.get("MAYFLY_SOURCE_BITS_PER_PIXEL", "0.5")),
            spot_vcpu_quota=int(env.get("MAYFLY_SPOT_VCPU_QUOTA", "0")),
            on_demand_vcpu_quota=int(env.get("MAYFLY_ON_DEMAND_VCPU_QUOTA", "0")),
            dollars_per_hour_max=float(env.get("MAYFLY_DOLLARS_PER_HOUR_MAX", "0")),
        )

    def pool(self, name: str) -> PoolSettings:
        """The pool of a name. Raises KeyError."""
        return {pool.name: pool for pool in self.pools}[name]


class WorkerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The environment of the worker's container."""

    pool: str
    jobs_queue_url: str
    done_queue_url: str
    #: The only folder a worker writes to.
    scratch: str
    #: Encoder threads, fixed per task size: the same task gives the same bytes wherever it runs.
    threads: int
    memory_mib: int
    #: Hosts (or their suffixes, with a leading dot) that a task's URLs may name.
    source_hosts: tuple[str, ...] = (".amazonaws.com",)
    ffmpeg: str = "ffmpeg"
    ffprobe: str = "ffprobe"
    #: The most workers of its pool: among so many is a long source divided.
    workers_max: int = 1
    #: Media seconds of a chunk, when an operator wants them so; 0: as the work asks.
    chunk_seconds: int = 0
    #: From SIGTERM to SIGKILL: the container's `stopTimeout`. ECS's own, where none is named.
    stop_seconds: int = 30
    #: Long jobs should be done so long after their acceptance: a long source is divided among as
    #: many workers as that takes; 0: among all.
    finish_seconds: int = 0

    def to_env(self) -> dict[str, str]:
        """The variables that `from_env` reads."""
        return {
            "MAYFLY_POOL": self.pool,
            "MAYFLY_JOBS_QUEUE_URL": self.jobs_queue_url,
            "MAYFLY_DONE_QUEUE_URL": self.done_queue_url,
            "MAYFLY_SCRATCH": self.scratch,
            "MAYFLY_THREADS": str(self.threads),
            "MAYFLY_MEMORY_MIB": str(self.memory_mib),
            "MAYFLY_SOURCE_HOSTS": ",".join(self.source_hosts),
            "MAYFLY_FFMPEG": self.ffmpeg,
            "MAYFLY_FFPROBE": self.ffprobe,
            "MAYFLY_WORKERS_MAX": str(self.workers_max),
            "MAYFLY_CHUNK_SECONDS": str(self.chunk_seconds),
            "MAYFLY_STOP_SECONDS": str(self.stop_seconds),
            "MAYFLY_FINISH_SECONDS": str(self.finish_seconds),
        }

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "WorkerSettings":
        """Raises KeyError naming the variable that is missing."""
        return cls(
            pool=env["MAYFLY_POOL"],
            jobs_queue_url=env["MAYFLY_JOBS_QUEUE_URL"],
            done_queue_url=env["MAYFLY_DONE_QUEUE_URL"],
            scratch=env["MAYFLY_SCRATCH"],
            threads=int(env["MAYFLY_THREADS"]),
            memory_mib=int(env["MAYFLY_MEMORY_MIB"]),
            source_hosts=_split(env.get("MAYFLY_SOURCE_HOSTS", ".amazonaws.com")),
            ffmpeg=env.get("MAYFLY_FFMPEG", "ffmpeg"),
            ffprobe=env.get("MAYFLY_FFPROBE", "ffprobe"),
            workers_max=int(env.get("MAYFLY_WORKERS_MAX", "1")),
            chunk_seconds=int(env.get("MAYFLY_CHUNK_SECONDS", "0")),
            stop_seconds=int(env.get("MAYFLY_STOP_SECONDS", "30")),
            finish_seconds=int(env.get("MAYFLY_FINISH_SECONDS", "0")),
        )


def pools_to_json(pools: tuple[PoolSettings, ...]) -> str:
    """Pools as one variable; also a stack output."""
    return msgspec.json.encode(pools).decode()


def pools_from_json(text: str) -> tuple[PoolSettings, ...]:
    """Pools from their variable or stack output."""
    return msgspec.json.decode(text, type=tuple[PoolSettings, ...])


def _split(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.split(",") if part)
