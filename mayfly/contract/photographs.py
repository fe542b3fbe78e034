"""Lists of photographs, as objects of their own: thousands of signed URLs fit no message.

`Roll` is what the dispatcher found when a request came, without any right in it; `Photographs` is
what a worker reads, with a signed GET for each. The second holds secrets.
"""

import msgspec

from mayfly.contract import packed, wire
from mayfly.contract.task import Fetch
from mayfly.contract.wire import Version

#: Of one time-lapse: three minutes and a half of film at 24 a second. A request that lists them is
#: then half of what a message may have (SQS, 1 MiB).
PHOTOGRAPHS_MAX = 5000

#: Of a list: each with a key of a kilobyte, a URL of two and its headers.
LIST_BYTES_MAX = 32 * 10**6


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """One photograph in the bucket, as it was when the request came."""

    key: str
    etag: str
    size_bytes: int


class Roll(msgspec.Struct, frozen=True, kw_only=True):
    """The photographs of one job."""

    exposures: tuple[Exposure, ...]
    #: Somebody put them into this order; else it is that of their keys.
    listed: bool = False
    #: What lies beside them and is no photograph.
    ignored: int = 0
    version: Version = 1


class Photograph(msgspec.Struct, frozen=True, kw_only=True):
    """One of them, for a worker."""

    name: str
    fetch: Fetch
    size_bytes: int | None = None


class Photographs(msgspec.Struct, frozen=True, kw_only=True):
    """What a time-lapse is made of. Users with URLs of their own may write it too."""

    photographs: tuple[Photograph, ...]
    listed: bool = False
    ignored: int = 0
    version: Version = 1


def read_roll(body: bytes) -> Roll:
    """From its object. Raises Refusal."""
    return wire.decode(Roll, _plain(body))


def read_photographs(body: bytes) -> Photographs:
    """From its object, packed or not. Raises Refusal."""
    return wire.decode(Photographs, _plain(body))


def _plain(body: bytes) -> bytes:
    try:
        return packed.unpack(body, LIST_BYTES_MAX) if packed.is_packed(body) else body
    except packed.Unreadable as error:
        raise wire.Refusal("the list", f"{len(body)} bytes", f"packed JSON ({error})") from None
