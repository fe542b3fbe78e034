"""What may be chosen about a deployment, as one frozen value.

Everything arrives as strings (`-c key=value`, or CDK's own context) and leaves typed; whatever is
wrong is refused here with a sentence, before CDK starts. It never looks anything up: no account,
no network, no environment.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from mayfly.core import limits
from mayfly.core.sizing import Size

#: Memory in MiB that Fargate accepts for a CPU size: lowest, highest, step
#: (ECS RegisterTaskDefinition, "memory").
FARGATE_MEMORY_MIB = {
    1024: (2048, 8192, 1024),
    2048: (4096, 16384, 1024),
    4096: (8192, 30720, 1024),
    8192: (16384, 61440, 4096),
    16384: (32768, 122880, 8192),
}

#: What a task has without asking and without paying; more is billed by the GB-hour.
DISK_GIB_FREE = 20
DISK_GIB_MAX = 200

#: The retentions that CloudWatch Logs knows, in days.
LOG_RETENTION_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365)

ARCHITECTURES = ("arm64", "x86_64")


class ConfigError(ValueError):
    """A setting that cannot be; the message is a sentence for the person who chose it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """One task size."""

    name: str
    #: ECS CPU units, 1024 a vCPU.
    cpu_units: int
    memory_mib: int
    disk_gib: int
    workers_max: int

    def __post_init__(self) -> None:
        if self.cpu_units not in FARGATE_MEMORY_MIB:
            raise ConfigError(
                f"Pool '{self.name}' asks for {self.cpu_units} CPU units; Fargate sizes that "
                f"encode are {_listed(FARGATE_MEMORY_MIB)}."
            )
        low, high, step = FARGATE_MEMORY_MIB[self.cpu_units]
        if not low <= self.memory_mib <= high or (self.memory_mib - low) % step:
            raise ConfigError(
                f"Pool '{self.name}' asks for {self.memory_mib} MiB; with {self.cpu_units} CPU "
                f"units Fargate gives {low} to {high} MiB in steps of {step}."
            )
        if not DISK_GIB_FREE <= self.disk_gib <= DISK_GIB_MAX:
            raise ConfigError(
                f"Pool '{self.name}' asks for {self.disk_gib} GiB of disk; "
                f"Fargate gives {DISK_GIB_FREE} to {DISK_GIB_MAX}."
            )
        if not 1 <= self.workers_max <= 1000:
            raise ConfigError(
                f"Pool '{self.name}' may have {self.workers_max} workers; "
                "it must be 1 to 1000 (and within the account's Fargate Spot quota)."
            )

    @property
    def vcpu(self) -> int:
        """Whole processors; also the encoder's threads, fixed per size."""
        return self.cpu_units // 1024


#: The pools that can be enabled. `standard` is on by default; a new account's Spot quota is
#: 6 vCPU, so three of its workers are what everybody may run.
POOLS = {
    pool.name: pool
    for pool in (
        Pool(name="small", cpu_units=1024, memory_mib=2048, disk_gib=20, workers_max=4),
        Pool(name="standard", cpu_units=2048, memory_mib=4096, disk_gib=30, workers_max=3),
        Pool(name="large", cpu_units=8192, memory_mib=16384, disk_gib=100, workers_max=2),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One deployment. Field names are the keys of `-c key=value`."""

    #: The stack's name unless the deployer gives another: the template itself says AWS::StackName.
    stack: str = "mayfly"
    #: The worker's image, as ECS pulls it. The default is what `make image` builds; ECS cannot
    #: pull that, so a deployment to AWS names the registry it was pushed to.
    image: str = "mayfly-worker:latest"
    #: Enabled pools: `standard,large` or with their most workers, `standard=12,large=4`.
    pools: tuple[Pool, ...] = (POOLS["standard"],)
    #: On-demand workers stand in when Spot has given too few for this long; 0 is never. They cost
    #: about three times as much, and count against the account's on-demand quota.
    on_demand_after_seconds: int = limits.TWIN_AFTER_SECONDS
    #: The preset of uploads whose key names none.
    default_preset: str = "mp4-720p"
    #: Where `make build` staged the Lambdas.
    build_dir: Path = Path("build/lambda")
    log_retention_days: int = 14
    #: Graviton: 20 % cheaper for the same milliseconds.
    lambda_architecture: str = "arm64"
    #: x86-64 because that is what most machines build; an image of the wrong one starts nowhere.
    worker_architecture: str = "x86_64"
    #: Lambda gives CPU by memory; 512 MiB imports boto3 in about a third of a second.
    function_memory_mib: int = 512
    #: Availability zones of our own VPC. More zones, better odds of Spot capacity; all regions but
    #: us-west-1 show three to a new account.
    zones: int = 3
    #: An existing VPC instead of our own, with the subnets the workers shall stand in. It should
    #: have an S3 gateway endpoint: video must not go through a NAT gateway at $0.045 a GB.
    vpc: str = ""
    subnets: tuple[str, ...] = ()
    #: Off for private subnets with a way out of their own.
    assign_public_ip: bool = True
    #: The bucket and what is in it outlive the stack. Off for throwaway stacks: an empty bucket
    #: is then deleted with the stack (CloudFormation refuses to delete a full one).
    retain_bucket: bool = True
    #: Hosts that a task's URLs may name; a leading dot means "and everything below".
    source_hosts: tuple[str, ...] = (".amazonaws.com",)
    #: Media seconds of the chunks that a long source is cut into; 0 leaves it to the work.
    chunk_seconds: int = 0
    #: A long job should be done so long after it was accepted: it gets as many workers as that
    #: takes. 0: as many as there are tasks.
    finish_seconds: int = limits.FINISH_SECONDS
    #: Workers that a large source calls beside its first before anybody has looked at it, by its
    #: bytes alone. Each that comes for nothing costs its minute; each that is not called starts a
    #: minute or two later.
    foreseen_workers_max: int = limits.FORESEEN_WORKERS
    #: What sources spend, to guess how long they are before anybody has looked: 5 Mbit/s of 1080p
    #: with 24 frames a second are 0.1.
    source_bits_per_pixel: float = limits.SOURCE_BITS_PER_PIXEL
    #: The account's Fargate quotas in vCPU (Service Quotas L-36FBB829 and L-3032A538), which all
    #: pools share; 6 is a new account's. 0: not bounded here. What a quota does not give, no worker
    #: of ours waits for.
    spot_vcpu_quota: int = 6
    on_demand_vcpu_quota: int = 6
    #: What all workers together may cost an hour at list prices; 0 is not bounded. By the hour,
    #: since a job costs about the same with however many workers, and days of waste cost most.
    dollars_per_hour_max: float = 0.0
    #: An SNS topic that hears of alarms. None of ours: a topic without subscribers is a lie.
    alarm_topic: str = ""

    def __post_init__(self) -> None:
        if not self.pools:
            raise ConfigError(f"pools is empty; name at least one of {_listed(POOLS)}.")
        if len({pool.name for pool in self.pools}) < len(self.pools):
            raise ConfigError("pools names a pool twice; name each once.")
        if 0 < self.on_demand_after_seconds < limits.TWIN_AFTER_SECONDS_MIN:
            raise ConfigError(
                f"on_demand_after_seconds is {self.on_demand_after_seconds}; it must be 0 (never) "
                f"or at least {limits.TWIN_AFTER_SECONDS_MIN}, for a Spot worker needs minutes to "
                "start."
            )
        if 0 < self.finish_seconds < limits.FINISH_SECONDS_MIN:
            raise ConfigError(
                f"finish_seconds is {self.finish_seconds}; it must be 0 (one worker a task) or "
                f"{limits.FINISH_SECONDS_MIN} to {limits.FINISH_SECONDS_MAX}, for a worker needs a "
                "minute or two to start."
            )
        self._check_means()
        if bool(self.vpc) != bool(self.subnets):
            raise ConfigError(
                "An existing VPC needs both: vpc=vpc-… and subnets=subnet-…,subnet-… in it."
            )

    def _check_means(self) -> None:
        """Pools share quotas and cap: more than all of it can be no pool's, and one worker of each
        must be possible."""
        for pool in self.pools:
            vcpu = pool.workers_max * pool.vcpu
            if 0 < self.spot_vcpu_quota < vcpu:
                raise ConfigError(
                    f"Pool '{pool.name}' may have {pool.workers_max} workers, {vcpu} vCPU in all, "
                    f"and spot_vcpu_quota is {self.spot_vcpu_quota}. Ask AWS for a higher quota "
                    "(Service Quotas, L-36FBB829) and say what it is, or give the pool fewer "
                    "workers."
                )
        sizes = [Size(vcpu=pool.vcpu, memory_gib=pool.memory_mib / 1024) for pool in self.pools]
        least = sum(size.hourly_dollars(spot=True) for size in sizes)
        if self.on_demand_after_seconds:
            least += max(size.hourly_dollars(spot=False) for size in sizes)
        if 0 < self.dollars_per_hour_max < least:
            raise ConfigError(
                f"dollars_per_hour_max is {self.dollars_per_hour_max:g}; one worker of each pool, "
                "and one on-demand where that may stand in, cost "
                f"${math.ceil(least * 1000) / 1000:g} an hour."
            )

    @classmethod
    def from_context(cls, context: Mapping[str, object]) -> "Config":
        """Reads settings; CDK's own context keys pass by. Raises ConfigError."""
        ours = {key: str(value) for key, value in context.items() if not _is_cdks_own(key)}
        unknown = sorted(ours.keys() - _READERS.keys())
        if unknown:
            raise ConfigError(
                f"No setting is called {unknown[0]!r}; settings are {_listed(_READERS)}."
            )
        chosen: dict[str, Any] = {
            key: _READERS[key](key, value.strip()) for key, value in ours.items()
        }
        return cls(**chosen)


def _is_cdks_own(key: str) -> bool:
    """Feature flags (`@aws-cdk/…`), cached lookups and tool options (`aws:cdk:…`)."""
    return ":" in key or "/" in key


def _listed(names: Iterable[object]) -> str:
    return ", ".join(str(name) for name in names)


def _pools(key: str, text: str) -> tuple[Pool, ...]:
    return tuple(_pool(key, part.strip()) for part in text.split(",") if part.strip())


def _pool(key: str, text: str) -> Pool:
    name, _, workers = text.partition("=")
    if name not in POOLS:
        raise ConfigError(f"{key} names {name!r}; pools are {_listed(POOLS)}.")
    return replace(POOLS[name], workers_max=_whole(key, workers)) if workers else POOLS[name]


def _whole(key: str, text: str) -> int:
    if not text.isdecimal():
        raise ConfigError(f"{key} is {text!r}; it must be a whole number.")
    return int(text)


def _between(low: int, high: int) -> Callable[[str, str], int]:
    def read(key: str, text: str) -> int:
        number = _whole(key, text)
        if not low <= number <= high:
            raise ConfigError(f"{key} is {number}; it must be {low} to {high}.")
        return number

    return read


def _dollars(key: str, text: str) -> float:
    if not re.fullmatch(r"\d{1,6}(\.\d{1,4})?", text):
        raise ConfigError(f"{key} is {text!r}; it must look like 12.50.")
    return float(text)


#: Less is no film.
_BITS_PER_PIXEL_MIN = 0.01


def _bits(key: str, text: str) -> float:
    if not re.fullmatch(r"\d{1,2}(\.\d{1,4})?", text) or float(text) < _BITS_PER_PIXEL_MIN:
        raise ConfigError(f"{key} is {text!r}; it must look like 0.5.")
    return float(text)


def _one_of(choices: tuple[object, ...]) -> Callable[[str, str], str]:
    def read(key: str, text: str) -> str:
        if text not in {str(choice) for choice in choices}:
            raise ConfigError(f"{key} is {text!r}; it must be one of {_listed(choices)}.")
        return text

    return read


def _shaped(pattern: str, looks_like: str) -> Callable[[str, str], str]:
    def read(key: str, text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ConfigError(f"{key} is {text!r}; it must look like {looks_like}.")
        return text

    return read


def _list_of(pattern: str, looks_like: str) -> Callable[[str, str], tuple[str, ...]]:
    one = _shaped(pattern, looks_like)

    def read(key: str, text: str) -> tuple[str, ...]:
        return tuple(one(key, part.strip()) for part in text.split(",") if part.strip())

    return read


def _yes_or_no(key: str, text: str) -> bool:
    answers = {"true": True, "yes": True, "false": False, "no": False}
    if text.lower() not in answers:
        raise ConfigError(f"{key} is {text!r}; it must be true or false.")
    return answers[text.lower()]


_READERS: dict[str, Callable[[str, str], object]] = {
    # Queue names carry the stack's name and end within SQS's 80 characters.
    "stack": _shaped(r"[A-Za-z][A-Za-z0-9-]{0,39}", "mayfly (letters, digits, hyphens; up to 40)"),
    "image": _shaped(r"[a-z0-9][\w./:@-]*", "registry/name:tag or registry/name@sha256:…"),
    "pools": _pools,
    "on_demand_after_seconds": _between(0, 24 * 3600),
    "default_preset": _shaped(r"[a-z0-9][a-z0-9-]*", "mp4-720p"),
    "build_dir": lambda _key, text: Path(text),
    "log_retention_days": lambda key, text: int(_one_of(LOG_RETENTION_DAYS)(key, text)),
    "lambda_architecture": _one_of(ARCHITECTURES),
    "worker_architecture": _one_of(ARCHITECTURES),
    "function_memory_mib": _between(128, 10240),
    "zones": _between(1, 6),
    "vpc": _shaped(r"vpc-[0-9a-f]+", "vpc-0a1b2c3d"),
    "subnets": _list_of(r"subnet-[0-9a-f]+", "subnet-0a1b2c3d,subnet-4e5f6a7b"),
    "assign_public_ip": _yes_or_no,
    "retain_bucket": _yes_or_no,
    "source_hosts": _list_of(r"\.?[a-z0-9][a-z0-9.-]*", ".amazonaws.com,media.example.com"),
    "chunk_seconds": _between(0, 24 * 3600),
    "finish_seconds": _between(0, limits.FINISH_SECONDS_MAX),
    "foreseen_workers_max": _between(0, 1000),
    "source_bits_per_pixel": _bits,
    "spot_vcpu_quota": _between(0, 10**6),
    "on_demand_vcpu_quota": _between(0, 10**6),
    "dollars_per_hour_max": _dollars,
    "alarm_topic": _shaped(
        r"arn:[\w-]+:sns:[\w-]+:\d{12}:[\w-]+", "arn:aws:sns:…:123456789012:ops"
    ),
}

assert _READERS.keys() == {field.name for field in fields(Config)}
