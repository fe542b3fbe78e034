"""The Store port on S3, for the Lambdas. Workers never have it: they have signed URLs.

ETags are bare on our side; the quotes that belong to HTTP are put on and taken off here.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import Any

from botocore import exceptions

from mayfly.aws import errors, multipart
from mayfly.aws.clients import CONNECTIONS_MAX
from mayfly.core import limits
from mayfly.perform.ports import Conflict, Gone, ObjectListed, ObjectSeen, TooLarge

#: ListObjectsV2 answers with this many keys at most, and with fewer when it likes.
PAGE_KEYS_MAX = 1000

#: CopyObject ends at 5 GiB. Above one part, parts are copied side by side, which is quicker.
COPY_PART_BYTES = 512 * 1024 * 1024
COPY_PARTS_AT_ONCE = 8

#: Small objects that are copied side by side, as many as a client has connections.
COPIES_AT_ONCE = CONNECTIONS_MAX

#: What a published object says it is. Never what the worker said: a page in the stack's bucket,
#: put there by a stolen worker, must not be served as one.
CONTENT_TYPES = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".mkv": "video/x-matroska",
    ".m4a": "audio/mp4",
    ".mp3": "audio/mpeg",
    ".opus": "audio/ogg",
    ".ogg": "audio/ogg",
    ".flac": "audio/flac",
    ".mka": "audio/x-matroska",
    ".m4s": "video/iso.segment",
    ".webm": "video/webm",
    ".ts": "video/mp2t",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".vtt": "text/vtt",
    ".json": "application/json",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".mpd": "application/dash+xml",
}
CONTENT_TYPE_UNKNOWN = "application/octet-stream"

#: HeadObject has no body, so no name of an error either.
_MISSING = {"404", "NoSuchKey", "NoSuchVersion", "NotFound"}
_CONFLICT: dict[str, type[Exception]] = {
    "PreconditionFailed": Conflict,
    "ConditionalRequestConflict": Conflict,
    "412": Conflict,
    "409": Conflict,
    # If-Match of a key that is not there any more.
    "NoSuchKey": Conflict,
}
_GONE: dict[str, type[Exception]] = dict.fromkeys((*_MISSING, "NoSuchBucket"), Gone)


class S3Store:
    """Any bucket that the Lambda's role may use."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def head(self, bucket: str, key: str) -> ObjectSeen | None:
        """Without s3:ListBucket a missing key is answered with 403, and so Refused."""
        with errors.judging("HeadObject"):
            try:
                answer = self._client.head_object(Bucket=bucket, Key=key)
            except exceptions.ClientError as error:
                if errors.code(error) in _MISSING:
                    return None
                raise
        return ObjectSeen(
            size_bytes=answer["ContentLength"],
            etag=answer["ETag"].strip('"'),
            version_id=answer.get("VersionId", ""),
        )

    def list(
        self, bucket: str, prefix: str, *, after: str = "", limit: int = 1000
    ) -> Sequence[ObjectListed]:
        """Pages until there are enough."""
        if limit < 1:
            raise ValueError("A listing wants a limit of at least 1.")
        found: list[ObjectListed] = []
        while True:
            with errors.judging("ListObjectsV2"):
                answer = self._client.list_objects_v2(
                    Bucket=bucket,
                    Prefix=prefix,
                    MaxKeys=min(PAGE_KEYS_MAX, limit - len(found)),
                    **({"StartAfter": after} if after else {}),
                )
            page = [_listed(thing) for thing in answer.get("Contents", ())]
            found += page
            if len(found) >= limit or not page or not answer.get("IsTruncated"):
                return found
            after = page[-1].key

    def copy(self, bucket: str, source_key: str, key: str) -> None:
        """By s3transfer, boto3's own manager: in parts when large, cleaned up when it fails."""
        # A Lambda that copies nothing must not import it.
        from s3transfer.manager import (  # type: ignore[import-untyped]
            TransferConfig,
            TransferManager,
        )

        settings = TransferConfig(
            multipart_threshold=COPY_PART_BYTES + 1,
            multipart_chunksize=COPY_PART_BYTES,
            max_request_concurrency=COPY_PARTS_AT_ONCE,
        )
        with (
            errors.judging("CopyObject", _GONE | {"PreconditionFailed": Gone}),
            TransferManager(self._client, settings) as manager,
        ):
            manager.copy(
                {"Bucket": bucket, "Key": source_key},
                bucket,
                key,
                extra_args={"ContentType": content_type(key), "MetadataDirective": "REPLACE"},
            ).result()

    def join(self, bucket: str, source_keys: Sequence[str], key: str) -> None:
        """As one multipart upload."""
        multipart.join(
            self._client,
            bucket,
            source_keys,
            key,
            content_type=content_type(key),
            known=_GONE,
        )

    def copy_many(self, bucket: str, pairs: Sequence[tuple[str, str]]) -> None:
        """One CopyObject each, which S3 answers in some 40 ms: alone, 10,000 take seven minutes."""

        def one(pair: tuple[str, str]) -> None:
            source_key, key = pair
            with errors.judging("CopyObject", _GONE):
                self._client.copy_object(
                    Bucket=bucket,
                    Key=key,
                    CopySource={"Bucket": bucket, "Key": source_key},
                    ContentType=content_type(key),
                    MetadataDirective="REPLACE",
                )

        with ThreadPoolExecutor(COPIES_AT_ONCE) as threads:
            copied = [threads.submit(one, pair) for pair in pairs]
            try:
                for copy in copied:
                    copy.result()
            finally:
                for copy in copied:
                    copy.cancel()

    def read(
        self, bucket: str, key: str, *, bytes_max: int = limits.READ_BYTES_MAX
    ) -> tuple[bytes, str] | None:
        """Of what is too large, nothing is fetched but its size."""
        with errors.judging("GetObject"):
            try:
                answer = self._client.get_object(Bucket=bucket, Key=key)
            except exceptions.ClientError as error:
                if errors.code(error) in _MISSING:
                    return None
                raise
            with answer["Body"] as body:
                size_bytes = answer["ContentLength"]
                if size_bytes > bytes_max:
                    raise TooLarge(f"{key} has {size_bytes} bytes, and {bytes_max} are allowed.")
                return body.read(), answer["ETag"].strip('"')

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
        conditions: dict[str, str] = {}
        if if_match and if_absent:
            raise ValueError("An object cannot be absent and match.")
        if if_match:
            conditions["IfMatch"] = f'"{if_match}"'
        if if_absent:
            conditions["IfNoneMatch"] = "*"
        with errors.judging("PutObject", _CONFLICT if conditions else {}):
            self._client.put_object(
                Bucket=bucket, Key=key, Body=body, ContentType=content_type, **conditions
            )


def _listed(thing: Any) -> ObjectListed:
    return ObjectListed(
        key=thing["Key"],
        size_bytes=thing["Size"],
        etag=thing["ETag"].strip('"'),
        last_modified=thing["LastModified"].timestamp(),
    )


def content_type(key: str) -> str:
    """By the key's suffix."""
    return CONTENT_TYPES.get(PurePosixPath(key).suffix.lower(), CONTENT_TYPE_UNKNOWN)
