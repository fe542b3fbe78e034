"""Reads a message of the requests queue: an S3 notification, or somebody's request. Also what of it
may be remembered, so that a dead one can be sent again.

Pure. S3's direct notifications carry the key form-encoded (`my+clip%281%29.mp4`), come twice, in
any order, several records a message, and begin with an `s3:TestEvent` that means nothing.
"""

import re
from typing import Any
from urllib.parse import quote_plus, unquote_plus

import msgspec

from mayfly.contract import wire
from mayfly.contract.request import Request
from mayfly.contract.wire import Refusal
from mayfly.core import limits, naming
from mayfly.core.identity import SourceObject

Mail = Request | tuple[SourceObject, ...]

#: Neither a request nor a notification has a place for these; a key may be called anything.
_SECRET = re.compile(r"x-amz-|signature=", re.IGNORECASE)


def read(body: str) -> Mail:
    """A request, or the uploads that a notification tells of. Raises Refusal."""
    raw = _plain(body)
    if isinstance(raw, dict) and raw.get("Event") == "s3:TestEvent":
        return ()
    if isinstance(raw, dict) and isinstance(raw.get("Records"), list):
        found = (_upload(record) for record in raw["Records"])
        return tuple(source for source in found if source is not None)
    return wire.decode(Request, body)


def kept(body: str) -> str:
    """The same message in its shortest form; empty for what is none, is large, or may hold a
    secret. A notification loses the addresses and names of people that S3 puts into it."""
    try:
        mail = read(body)
    except Refusal:
        return ""
    if not mail:
        return ""
    text = wire.encode(mail).decode() if isinstance(mail, Request) else written(mail)
    if len(text.encode()) > limits.KEPT_BYTES_MAX or _SECRET.search(text):
        return ""
    return text


def written(sources: tuple[SourceObject, ...]) -> str:
    """A notification of these uploads, as S3 words it."""
    records = [
        {
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "s3": {
                "bucket": {"name": source.bucket},
                "object": {
                    "key": quote_plus(source.key, safe="/"),
                    "size": source.size_bytes,
                    "eTag": source.etag,
                    "versionId": source.version_id,
                    "sequencer": source.sequencer,
                },
            },
        }
        for source in sources
    ]
    return wire.encode({"Records": records}).decode()


def _plain(body: str) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None


def _upload(record: Any) -> SourceObject | None:
    """None for what is no new object, for folder markers, and for keys outside of `uploads/`."""
    if not isinstance(record, dict) or record.get("eventSource") != "aws:s3":
        return None
    if not str(record.get("eventName")).startswith("ObjectCreated:"):
        return None
    try:
        return _source(record["s3"]["bucket"]["name"], record["s3"]["object"])
    except (AttributeError, KeyError, TypeError, ValueError):
        raise Refusal("Records", "no object of S3", "records as S3 writes them") from None


def _source(bucket: str, thing: Any) -> SourceObject | None:
    key = unquote_plus(thing["key"])
    if not naming.is_upload(key):
        return None
    return SourceObject(
        bucket=str(bucket),
        key=key,
        etag=str(thing.get("eTag", "")).strip('"'),
        size_bytes=int(thing.get("size", 0)),
        version_id=str(thing.get("versionId") or ""),
        sequencer=str(thing.get("sequencer", "")),
    )
