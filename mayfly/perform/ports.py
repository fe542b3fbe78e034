"""The ports: what Mayfly needs of the world. Two implementations pass the same contract tests:
`mayfly.aws` (boto3) and `mayfly.memory` (in memory, under virtual time).

A port does one thing, raises by consequence (`Temporary`: try again later; `Conflict`: load again
and decide again; `HandleLost`: the message belongs to somebody else), and holds no decision.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from mayfly.contract.task import Fetch, PostForm
from mayfly.core import limits
from mayfly.core.changes import Change, Key
from mayfly.core.pool import ServiceSeen

Item = Mapping[str, Any]

__all__ = [
    "Bus",
    "Clock",
    "Conflict",
    "Depth",
    "Dice",
    "Gone",
    "HandleLost",
    "Item",
    "JobTable",
    "Message",
    "ObjectListed",
    "ObjectSeen",
    "Queue",
    "ServiceSeen",
    "ServiceWanted",
    "Services",
    "Signer",
    "Store",
    "Temporary",
    "TooLarge",
]


class Temporary(Exception):
    """The world refused for now (throttle, 5xx, time-out): the same call may succeed later."""


class Conflict(Exception):
    """A requirement of a change did not hold, or another transaction was under way."""


class HandleLost(Exception):
    """The receipt handle is stale: the message was deleted or belongs to another receiver."""


class Gone(Exception):
    """What was named is not there (any more)."""


class TooLarge(ValueError):
    """What was to be read whole is larger than its reader allows."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One received message."""

    body: str
    handle: str
    message_id: str
    #: How often it was received, this time included (ApproximateReceiveCount).
    receives: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How much is on a queue. AWS calls all three approximate and up to a minute late."""

    visible: int
    in_flight: int
    delayed: int


class Queue(Protocol):
    """One SQS standard queue: at least once, in any order."""

    def send(self, body: bytes) -> None:
        """Raises Temporary."""

    def receive(self, *, wait_seconds: int, limit: int = 1) -> list[Message]:
        """Up to `limit` (10 at most) messages, each hidden for the queue's visibility timeout."""

    def extend(self, handle: str, seconds: int) -> None:
        """Hides it for `seconds` from now; 0 hands it back. Raises HandleLost, Temporary."""

    def delete(self, handle: str) -> None:
        """Idempotent. A lost handle may raise HandleLost or be silence: AWS does either."""

    def depth(self) -> Depth:
        """Raises Temporary."""


class JobTable(Protocol):
    """The one table. Reads are consistent, but for the index."""

    def get(self, *keys: Key) -> list[Item | None]:
        """Rows in the order of the keys (100 at most), without `pk` and `sk`."""

    def commit(self, changes: Sequence[Change]) -> None:
        """All or none. Raises Conflict, Temporary."""

    def rows(self, pk: str, sk_prefix: str = "") -> list[Item]:
        """All rows of a partition in the order of `sk`; items include `pk` and `sk`."""

    def index(self, gpk: str, *, limit: int, after: str = "") -> list[Item]:
        """The first `limit` rows of an index partition (`gpk`) in the order of `gsk`, of those
        beyond `after`; items include `pk` and `sk`. Eventually consistent: a row may be missing or
        out of date."""


class Signer(Protocol):
    """Signs URLs with the assumed signer role, whose end is known. Never with the Lambda's own
    credentials."""

    def grants_end_at(self) -> float:
        """Unix time until which URLs signed now will live (GRANT_SECONDS from now)."""

    def get(self, bucket: str, key: str, *, etag: str = "", version_id: str = "") -> Fetch:
        """A GET pinned to the version, else to the ETag (as a signed `if-match` header)."""

    def post(self, bucket: str, key_prefix: str, size_bytes_max: int) -> PostForm:
        """A POST to any key under the prefix, with a length condition."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServiceWanted:
    """A service to create. The same name and token twice is one service."""

    name: str
    pool: str
    task_definition: str
    desired: int
    #: FARGATE_SPOT or FARGATE.
    capacity_provider: str
    #: <= 36 characters (CreateService.clientToken).
    client_token: str
    tags: Mapping[str, str]


class Services(Protocol):
    """ECS services of our cluster. Create, resize and delete share 5 calls/s per account."""

    def create(self, wanted: ServiceWanted) -> None:
        """Idempotent by name and token. Raises Temporary."""

    def resize(self, name: str, desired: int) -> None:
        """Raises Gone, Temporary."""

    def delete(self, name: str) -> None:
        """Without force: refused by ECS while desired > 0. A missing one is fine."""

    def describe(self, names: Sequence[str]) -> list[ServiceSeen]:
        """Those of the names that ECS still knows, DRAINING and INACTIVE ones included."""

    def tagged(self) -> list[ServiceSeen]:
        """Every ACTIVE service of the cluster that carries our stack's tag, with its tags."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ObjectSeen:
    """What HeadObject tells."""

    size_bytes: int
    etag: str
    version_id: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ObjectListed:
    """What a listing tells of one object."""

    key: str
    size_bytes: int
    etag: str
    #: Unix time, in whole seconds on S3; of an upload in parts the time at which it began.
    last_modified: float


class Store(Protocol):
    """S3, for the Lambdas."""

    def head(self, bucket: str, key: str) -> ObjectSeen | None:
        """None when it is not there. Raises Temporary."""

    def list(
        self, bucket: str, prefix: str, *, after: str = "", limit: int = 1000
    ) -> Sequence[ObjectListed]:
        """Objects under the prefix whose keys come after `after`, by the bytes of their keys.

        Fewer than `limit` means that there are no more. Raises Temporary."""

    def copy(self, bucket: str, source_key: str, key: str) -> None:
        """Server-side, of any size. Raises Gone when the source is not there, Temporary."""

    def join(self, bucket: str, source_keys: Sequence[str], key: str) -> None:
        """Server-side, one behind the other; all but the last have 5 MiB to 5 GiB. The joined
        object appears whole or not at all. Raises Gone when one is not there, Temporary."""

    def copy_many(self, bucket: str, pairs: Sequence[tuple[str, str]]) -> None:
        """Server-side, several at a time, in any order: each from the first key to the second, of
        at most 5 GB. Some may be copied when it raises: Gone when any source is not there,
        Temporary."""

    def read(
        self, bucket: str, key: str, *, bytes_max: int = limits.READ_BYTES_MAX
    ) -> tuple[bytes, str] | None:
        """Body and ETag of a small object; None when it is not there. Raises TooLarge beyond
        `bytes_max`, Temporary."""

    def write(
        self,
        bucket: str,
        key: str,
        body: bytes,
        *,
        content_type: str,
        if_match: str = "",
        if_absent: bool = False,
    ) -> None:
        """Raises Conflict when the condition does not hold, Temporary."""


class Bus(Protocol):
    """EventBridge."""

    def publish(self, detail_type: str, detail: bytes) -> None:
        """Raises Temporary."""


class Clock(Protocol):
    """Time for the edges; the core is told it."""

    def now(self) -> float:
        """Unix time in seconds."""

    def sleep(self, seconds: float) -> None:
        """Waits; under virtual time, instantly."""


class Dice(Protocol):
    """Randomness for the edges; the core is told it."""

    def token(self) -> str:
        """A new opaque id: 26 lower-case letters and digits, 128 bits."""

    def jitter(self, seconds: float) -> float:
        """Uniformly between 0 and `seconds`."""
