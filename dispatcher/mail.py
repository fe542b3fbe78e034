"""Reads a message of the requests queue: an S3 notification, or somebody's request.

Pure. S3's direct notifications carry the key form-encoded (`my+clip%281%29.mp4`), come twice, in
any order, several records a message, and begin with an `s3:TestEvent` that means nothing.
"""

from typing import Any
from urllib.parse import unquote_plus

import msgspec

from mayfly.contract import wire
from mayfly.contract.request import Request
from mayfly.core import naming
from mayfly.core.identity import SourceObject

Mail = Request | tuple[SourceObject, ...]


def read(body: str) -> Mail:
    """A request, or the uploads that a notification tells of. Raises Refusal."""
    raw = _plain(body)
    if isinstance(raw, dict) and raw.get("Event") == "s3:TestEvent":
        return ()
    if isinstance(raw, dict) and isinstance(raw.get("Records"), list):
        found = (_upload(record) for record in raw["Records"])
        return tuple(source for source in found if source is not None)
    return wire.decode(Request, body)


def _plain(body: str) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None


def _upload(record: Any) -> SourceObject | None:
    """None for what is no new object, for folder markers, and for keys outside of `uploads/`."""
    if not isinstance(record, dict) or record.get("eventSource") != "aws:s3":
        return None
    if not str(record.get("eventName", "")).startswith("ObjectCreated:"):
        return None
    bucket, thing = record["s3"]["bucket"]["name"], record["s3"]["object"]
    key = unquote_plus(thing["key"])
    if not naming.is_upload(key):
        return None
    return SourceObject(
        bucket=bucket,
        key=key,
        etag=str(thing.get("eTag", "")).strip('"'),
        size_bytes=int(thing.get("size", 0)),
        version_id=str(thing.get("versionId") or ""),
        sequencer=str(thing.get("sequencer", "")),
    )
