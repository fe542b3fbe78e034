"""The Store port in memory: objects with ETags, and with versions if the bucket keeps them."""

import dataclasses
import hashlib
import random
from collections.abc import Sequence

from mayfly.core import limits
from mayfly.memory.branches import Branches
from mayfly.memory.clock import VirtualClock
from mayfly.memory.faults import Faults
from mayfly.memory.fickle import Fickle
from mayfly.perform.ports import Clock, Conflict, Gone, ObjectListed, ObjectSeen, TooLarge

#: S3: EntityTooSmall.
PART_BYTES_MIN = 5 * 1024 * 1024

#: S3: KeyTooLongError.
KEY_BYTES_MAX = 1024


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """One version of an object."""

    body: bytes
    etag: str
    version_id: str
    content_type: str
    #: Unix time.
    stored_at: float


class MemoryStore(Fickle):
    """All buckets at once."""

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        versioned: bool = False,
        faults: Faults | None = None,
        branches: Branches | None = None,
        chance: random.Random | None = None,
    ) -> None:
        super().__init__(faults, branches, chance)
        self._clock = clock or VirtualClock()
        #: Of all buckets, from now on.
        self.versioned = versioned
        #: Newest last.
        self._versions: dict[tuple[str, str], list[Object]] = {}
        self._written = 0

    def head(self, bucket: str, key: str) -> ObjectSeen | None:
        """Size, ETag, version."""
        self._faults.before("store.head")
        found = self.get(bucket, key)
        if found is None:
            return None
        return ObjectSeen(size_bytes=len(found.body), etag=found.etag, version_id=found.version_id)

    def list(
        self, bucket: str, prefix: str, *, after: str = "", limit: int = 1000
    ) -> Sequence[ObjectListed]:
        """The newest version of each."""
        if limit < 1:
            raise ValueError("A listing wants a limit of at least 1.")
        self._faults.before("store.list")
        keys = [key for key in self.keys(bucket, prefix) if key > after][:limit]
        return [_listed(key, self._versions[bucket, key][-1]) for key in keys]

    def copy(self, bucket: str, source_key: str, key: str) -> None:
        """The bytes; what kind they are, the new key says."""
        self._faults.before("store.copy")
        found = self.get(bucket, source_key)
        if found is None:
            raise Gone("CopyObject: the source is not there.")
        self.put(bucket, key, found.body)
        self._faults.after("store.copy")

    def join(self, bucket: str, source_keys: Sequence[str], key: str) -> None:
        """The bytes of all, in this order."""
        self._faults.before("store.join")
        bodies = [found.body for one in source_keys if (found := self.get(bucket, one))]
        if len(bodies) < len(source_keys):
            raise Gone("UploadPartCopy: a source is not there.")
        if any(len(body) < PART_BYTES_MIN for body in bodies[:-1]):
            raise ValueError("CompleteMultipartUpload: a part is too small.")
        self.put(bucket, key, b"".join(bodies))
        self._faults.after("store.join")

    def copy_many(self, bucket: str, pairs: Sequence[tuple[str, str]]) -> None:
        """One after another."""
        for source_key, key in pairs:
            self.copy(bucket, source_key, key)

    def read(
        self, bucket: str, key: str, *, bytes_max: int = limits.READ_BYTES_MAX
    ) -> tuple[bytes, str] | None:
        """Of what is too large, nothing is handed over."""
        self._faults.before("store.read")
        found = self.get(bucket, key)
        if found is None:
            return None
        if len(found.body) > bytes_max:
            raise TooLarge(f"{key} has {len(found.body)} bytes, and {bytes_max} are allowed.")
        return found.body, found.etag

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
        """At most one of the conditions."""
        if if_match and if_absent:
            raise ValueError("An object cannot be absent and match.")
        self._faults.before("store.write")
        conditional = if_absent or bool(if_match)
        if conditional and self._happens("write_race_rate"):
            raise Conflict("PutObject: 409, another write of the key is under way.")
        self._check(bucket, key, if_match, if_absent=if_absent)
        self.put(bucket, key, body, content_type=content_type)
        if conditional and self._happens("asked_again_rate"):
            self._check(bucket, key, if_match, if_absent=if_absent)
        self._faults.after("store.write")

    def _check(self, bucket: str, key: str, if_match: str, *, if_absent: bool) -> None:
        found = self.get(bucket, key)
        if if_absent and found is not None:
            raise Conflict("PutObject: 412, the key is taken.")
        if if_match and (found is None or found.etag != if_match):
            raise Conflict("PutObject: 412, the object is another one.")

    def put(
        self, bucket: str, key: str, body: bytes, *, content_type: str = "application/octet-stream"
    ) -> Object:
        """Stores as S3 itself does, for uploads and workers. Raises ValueError for a long key."""
        if len(key.encode()) > KEY_BYTES_MAX:
            raise ValueError(f"A key has {KEY_BYTES_MAX} bytes at most.")
        self._written += 1
        stored = Object(
            body=body,
            etag=hashlib.md5(body, usedforsecurity=False).hexdigest(),
            version_id=f"v{self._written}" if self.versioned else "",
            content_type=content_type,
            stored_at=self._clock.now(),
        )
        older = self._versions.get((bucket, key), []) if self.versioned else []
        self._versions[bucket, key] = [*older, stored]
        return stored

    def get(self, bucket: str, key: str, version_id: str = "") -> Object | None:
        """A version of an object, or its newest."""
        versions = self._versions.get((bucket, key), [])
        if version_id:
            return next((held for held in versions if held.version_id == version_id), None)
        return versions[-1] if versions else None

    def remove(self, bucket: str, key: str) -> None:
        """With all its versions."""
        self._versions.pop((bucket, key), None)

    def keys(self, bucket: str, prefix: str = "") -> Sequence[str]:
        """In order."""
        return sorted(
            key for held, key in self._versions if held == bucket and key.startswith(prefix)
        )


def _listed(key: str, held: Object) -> ObjectListed:
    return ObjectListed(
        key=key, size_bytes=len(held.body), etag=held.etag, last_modified=held.stored_at
    )
