"""Ports that ask: every call that could depend on the world suspends the code that makes it.

What is the same in every world of the small model is answered at once: one token, one nonce, URLs
that do not die, a clock that stands still while a program runs. Nothing is decided here.
"""

import dataclasses
import sys
from collections.abc import Callable, Sequence

import msgspec

from mayfly.contract.settings import FunctionSettings
from mayfly.contract.task import Control, Fetch, PostForm
from mayfly.core import limits
from mayfly.core.changes import Change, Key
from mayfly.memory.world import SETTINGS
from mayfly.perform.ports import (
    Depth,
    Item,
    Message,
    ObjectListed,
    ObjectSeen,
    ServiceSeen,
    ServiceWanted,
)
from mayfly.perform.world import Tally, World
from tests.simulation.small.calls import EXPECTED, Code
from worker.grants import HeldGrants
from worker.halt import Halt

POOL = "standard"
BUCKET = "media"
SOURCE_KEY = "uploads/mp4-720p/clip.mp4"
#: Far enough for any grant to live through the model's whole time.
_NEVER = 4_000_000_000.0
_S3 = "https://s3.amazonaws.com/"

#: One pool of two workers.
SMALL: FunctionSettings = msgspec.structs.replace(
    SETTINGS, pools=(msgspec.structs.replace(SETTINGS.pools[0], workers_max=2),)
)


@dataclasses.dataclass(frozen=True, slots=True)
class _Table:
    code: Code

    def get(self, *keys: Key) -> list[Item | None]:
        found: list[Item | None] = self.code.ask("table.get", keys)
        return found

    def commit(self, changes: Sequence[Change]) -> None:
        self.code.ask("table.commit", tuple(changes))

    def rows(self, pk: str, sk_prefix: str = "") -> list[Item]:
        found: list[Item] = self.code.ask("table.rows", pk, sk_prefix)
        return found

    def index(self, gpk: str, *, limit: int, after: str = "") -> list[Item]:
        found: list[Item] = self.code.ask("table.index", gpk, limit, after)
        return found


@dataclasses.dataclass(frozen=True, slots=True)
class AskingQueue:
    """A queue by its name."""

    code: Code
    name: str

    def send(self, body: bytes) -> None:
        self.code.ask(f"{self.name}.send", body)

    def receive(self, *, wait_seconds: int, limit: int = 1) -> list[Message]:
        messages: list[Message] = self.code.ask(f"{self.name}.receive", limit)
        return messages

    def extend(self, handle: str, seconds: int) -> None:
        self.code.ask(f"{self.name}.extend", handle, seconds)

    def delete(self, handle: str) -> None:
        self.code.ask(f"{self.name}.delete", handle)

    def depth(self) -> Depth:
        depth: Depth = self.code.ask(f"{self.name}.depth")
        return depth


class _DoneQueue(AskingQueue):
    """As the functions see it: how long a message that failed is hidden is of no matter here."""

    def extend(self, handle: str, seconds: int) -> None:
        return


class _Signer:
    def grants_end_at(self) -> float:
        return _NEVER

    def get(self, bucket: str, key: str, *, etag: str = "", version_id: str = "") -> Fetch:
        return Fetch(url=f"{_S3}{bucket}/{key}")

    def post(self, bucket: str, key_prefix: str, size_bytes_max: int) -> PostForm:
        return PostForm(
            url=_S3, fields={}, key_prefix=key_prefix, size_bytes_max=limits.POST_BYTES_MAX
        )


@dataclasses.dataclass(frozen=True, slots=True)
class _Services:
    code: Code

    def create(self, wanted: ServiceWanted) -> None:
        self.code.ask("services.create", wanted.name, wanted.desired)

    def resize(self, name: str, desired: int) -> None:
        self.code.ask("services.resize", name, desired)

    def delete(self, name: str) -> None:
        self.code.ask("services.delete", name)

    def describe(self, names: Sequence[str]) -> list[ServiceSeen]:
        seen: list[ServiceSeen] = self.code.ask("services.describe", tuple(names))
        return seen

    def tagged(self) -> list[ServiceSeen]:
        seen: list[ServiceSeen] = self.code.ask("services.describe", None)
        return seen


@dataclasses.dataclass(frozen=True, slots=True)
class _Store:
    code: Code

    def head(self, bucket: str, key: str) -> ObjectSeen | None:
        return ObjectSeen(size_bytes=1000, etag="e1")

    def list(
        self, bucket: str, prefix: str, *, after: str = "", limit: int = 1000
    ) -> Sequence[ObjectListed]:
        raise NotImplementedError("The small model has no rounds over the uploads.")

    def copy(self, bucket: str, source_key: str, key: str) -> None:
        self.code.ask("store.copy", source_key, key)

    def join(self, bucket: str, source_keys: Sequence[str], key: str) -> None:
        raise NotImplementedError("The small model's outputs are small.")

    def copy_many(self, bucket: str, pairs: Sequence[tuple[str, str]]) -> None:
        for source_key, key in pairs:
            self.copy(bucket, source_key, key)

    def read(
        self, bucket: str, key: str, *, bytes_max: int = limits.READ_BYTES_MAX
    ) -> tuple[bytes, str] | None:
        raise NotImplementedError("The small model has no latest.json.")

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
        self.code.ask("store.write", key, body)


@dataclasses.dataclass(frozen=True, slots=True)
class _Bus:
    code: Code

    def publish(self, detail_type: str, detail: bytes) -> None:
        self.code.ask("bus.publish", detail)


@dataclasses.dataclass(frozen=True, slots=True)
class AskingClock:
    """Stands still for as long as a program runs."""

    code: Code

    def now(self) -> float:
        return self.code.now

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        return


@dataclasses.dataclass(frozen=True, slots=True)
class OneDie:
    """The same each time."""

    told: str = "t"

    def token(self) -> str:
        return self.told

    def jitter(self, seconds: float) -> float:
        return 0.0


@dataclasses.dataclass
class _Ears(Tally):
    """Counts nothing, and hears of errors that the tick goes on after."""

    code: Code

    def add(self, name: str, value: float = 1.0, unit: str = "Count", **dimensions: str) -> None:
        error = sys.exc_info()[1]
        if name == "LooksFailed" and not isinstance(error, EXPECTED):
            self.code.surprises.append(f"A look of the tick raised {error!r}")


def asking_world(code: Code) -> World:
    """What the functions are given."""
    return World(
        settings=SMALL,
        table=_Table(code),
        jobs_queues={POOL: AskingQueue(code, "jobs")},
        done_queue=_DoneQueue(code, "done"),
        signer=_Signer(),
        services=_Services(code),
        store=_Store(code),
        bus=_Bus(code),
        clock=AskingClock(code),
        dice=OneDie(),
        tally=_Ears(code),
    )


class NoPulse:
    """The model has beats of its own: what one may find stands in `work`."""

    over = True

    def start(self, run: Callable[[], None]) -> None:
        return

    def wait(self, seconds: float) -> bool:
        return True

    def stop(self) -> None:
        return


class NoControl:
    """Read by the model's work, where it matters."""

    def read(self, grants: HeldGrants, halt: Halt) -> Control | None:
        return None


def key_of(fetch: Fetch) -> str:
    """Of the object that a signed GET names."""
    return fetch.url.removeprefix(f"{_S3}{BUCKET}/")
