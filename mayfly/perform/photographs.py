"""Finds the photographs of a time-lapse in the bucket, remembers them, and signs a GET for each.

Found once, when the request comes: whatever is uploaded later is another job's. The list is an
object named by its content, so the same photographs are the same list. It decides nothing about
what is in them: a worker opens each.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import msgspec

from mayfly.contract import packed, wire
from mayfly.contract.photographs import (
    LIST_BYTES_MAX,
    PHOTOGRAPHS_MAX,
    Exposure,
    Photograph,
    Photographs,
    Roll,
    read_roll,
)
from mayfly.contract.recipe import LAPSE_FPS_MAX, LAPSE_FPS_MIN, Timelapse
from mayfly.contract.task import Fetch
from mayfly.contract.wire import Refusal
from mayfly.core import limits_of_photographs as bounds
from mayfly.core import naming
from mayfly.core.identity import SourceObject, digest
from mayfly.core.rows import TaskRow
from mayfly.perform.ports import ObjectListed
from mayfly.perform.world import World

#: ListObjectsV2 answers with so many.
_PAGE_KEYS = 1000
_MAY_BE = "JPEG, PNG, WebP or TIFF: set the camera to them, or convert these"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a request means, as it stands in the bucket; `roll` where it is photographs."""

    source: SourceObject
    roll: Roll | None = None


def in_folder(world: World, folder: str) -> Found:
    """All beneath a key that ends with a slash. Raises Refusal, Temporary."""
    listed = list(_beneath(world, folder))
    others = [one for one in listed if not naming.is_photograph(one.key)]
    ignored = sum(1 for one in others if not _is_mark(one.key))
    found = [one for one in listed if naming.is_photograph(one.key)]
    if not found:
        among = f"{ignored} other files" if ignored else "nothing"
        raise Refusal("source", f"{_address(world, folder)} with {among} in it", "photographs")
    if len(found) > PHOTOGRAPHS_MAX:
        raise Refusal("source", f"{len(found)} photographs", f"at most {PHOTOGRAPHS_MAX}")
    return _found(world, folder, Roll(exposures=tuple(map(_exposure, found)), ignored=ignored))


def listed(world: World, keys: Sequence[str]) -> Found:
    """These, in their order; their folder stands for them. Raises Refusal, Temporary."""
    strange = [key for key in keys if not naming.is_photograph(key)]
    if strange:
        raise Refusal("sources", _address(world, strange[0]), "photographs")
    if len(set(keys)) < len(keys):
        twice = next(key for number, key in enumerate(keys) if key in keys[:number])
        raise Refusal("sources", f"{_address(world, twice)} twice", "photographs, each once")
    there = {one.key: one for one in _among(world, keys)}
    missing = [key for key in keys if key not in there]
    if missing:
        raise Refusal(
            "sources", f"{_address(world, missing[0])}, which is not there", "photographs"
        )
    roll = Roll(exposures=tuple(_exposure(there[key]) for key in keys), listed=True)
    return _found(world, _folder_of(keys), roll)


def keep(world: World, found: Found) -> None:
    """Remembers which they are, before a job is opened that needs them. Raises Temporary."""
    if found.roll is None:
        return
    body = packed.pack(wire.encode(found.roll))
    key = naming.roll_key(found.source.etag)
    world.store.write(world.settings.bucket, key, body, content_type="application/gzip")


def check_length(wanted: Timelapse, count: int) -> None:
    """Raises Refusal where so many photographs make no film of the length that is wanted."""
    if wanted.seconds is None or count == 0:
        return
    if LAPSE_FPS_MIN * wanted.seconds <= count <= LAPSE_FPS_MAX * wanted.seconds:
        return
    least, most = -(-count // LAPSE_FPS_MAX), count // LAPSE_FPS_MIN
    raise Refusal(
        "recipe.timelapse.seconds",
        f"{wanted.seconds} for {count} photographs",
        f"from {least} to {most}, at {LAPSE_FPS_MIN} to {LAPSE_FPS_MAX} a second",
    )


def is_kept(world: World, source: SourceObject) -> bool:
    """Whether the list of a set is still there. Raises Temporary."""
    return world.store.head(source.bucket, naming.roll_key(source.etag)) is not None


def write_signed(world: World, task: TaskRow, source: SourceObject) -> Fetch:
    """The list with a signed GET for each, pinned to what it was; without any where it is not kept
    any more, so that a worker says so and the job ends. Raises Temporary."""
    bucket = world.settings.bucket
    read = world.store.read(bucket, naming.roll_key(source.etag), bytes_max=LIST_BYTES_MAX)
    roll = read_roll(read[0]) if read is not None else Roll(exposures=())
    signed = Photographs(
        photographs=tuple(
            Photograph(
                name=one.key.removeprefix(source.key),
                fetch=world.signer.get(source.bucket, one.key, etag=one.etag),
                size_bytes=one.size_bytes,
            )
            for one in roll.exposures
        ),
        listed=roll.listed,
        ignored=roll.ignored,
    )
    key = naming.photographs_key(task.job_id, task.task_id)
    body = packed.pack(wire.encode(signed))
    world.store.write(bucket, key, body, content_type="application/gzip")
    return world.signer.get(bucket, key)


def _found(world: World, folder: str, roll: Roll) -> Found:
    unread = [
        one.key for one in roll.exposures if one.key.lower().endswith(naming.UNREAD_PHOTOGRAPHS)
    ]
    if unread:
        more = f" and {len(unread) - 1} more" if unread[1:] else ""
        raise Refusal("source", f"{_address(world, unread[0])}{more}", _MAY_BE)
    large = [one for one in roll.exposures if one.size_bytes > bounds.PHOTOGRAPH_BYTES_MAX]
    if large:
        got = f"{_address(world, large[0].key)} of {large[0].size_bytes} bytes"
        raise Refusal("source", got, f"photographs of at most {bounds.PHOTOGRAPH_BYTES_MAX}")
    # What lies beside them changes nothing.
    named = msgspec.json.encode((roll.exposures, roll.listed))
    return Found(
        source=SourceObject(
            bucket=world.settings.bucket,
            key=folder,
            etag=digest(b"roll\n" + named),
            size_bytes=sum(one.size_bytes for one in roll.exposures),
        ),
        roll=roll,
    )


def _beneath(world: World, folder: str) -> Iterator[ObjectListed]:
    after, count = "", 0
    while True:
        bucket = world.settings.bucket
        page = world.store.list(bucket, folder, after=after, limit=_PAGE_KEYS)
        yield from page
        count += len(page)
        if len(page) < _PAGE_KEYS:
            return
        if count >= bounds.LISTED_MAX:
            got = f"{_address(world, folder)} with {count} objects and more"
            raise Refusal("source", got, "a folder with little beside the photographs")
        after = page[-1].key


def _among(world: World, keys: Sequence[str]) -> Iterator[ObjectListed]:
    """What is listed of the folders of these, from the first of each on to its last: a call for
    each would be thousands."""
    folders: dict[str, list[str]] = {}
    for key in keys:
        folders.setdefault(key.rpartition("/")[0] + "/", []).append(key)
    count = 0
    for folder, its in folders.items():
        last = max(its, key=str.encode)
        # The key before the first: no key ends with the last character but one of its own.
        after = min(its, key=str.encode)[:-1]
        while True:
            page = world.store.list(world.settings.bucket, folder, after=after, limit=_PAGE_KEYS)
            yield from page
            count += len(page)
            if len(page) < _PAGE_KEYS or page[-1].key.encode() >= last.encode():
                break
            if count >= bounds.LISTED_MAX:
                got = f"photographs among more than {count} objects"
                raise Refusal("sources", got, "in a folder with little beside them")
            after = page[-1].key


def _folder_of(keys: Sequence[str]) -> str:
    """The longest that all are in; `uploads/` at least."""
    parts = [key.split("/")[:-1] for key in keys]
    shared = []
    for names in zip(*parts, strict=False):
        if len(set(names)) > 1:
            break
        shared.append(names[0])
    return "/".join(shared) + "/"


def _is_mark(key: str) -> bool:
    return key.endswith("/") or naming.folder_of_ready(key) is not None


def _exposure(seen: ObjectListed) -> Exposure:
    return Exposure(key=seen.key, etag=seen.etag, size_bytes=seen.size_bytes)


def _address(world: World, key: str) -> str:
    text = "".join(sign if sign.isprintable() else "?" for sign in key)
    if len(text) > bounds.NAME_CHARACTERS_MAX:
        text = "…" + text[-bounds.NAME_CHARACTERS_MAX :]
    return f"s3://{world.settings.bucket}/{text}"
