"""Joins objects to one, server-side: a multipart upload whose parts are copies of these.

It must leave nothing behind that is billed and that no listing shows: what fails is aborted; what
dies with its Lambda, the bucket's lifecycle aborts after a day.
"""

import contextlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore import exceptions

from mayfly.aws import clients, errors

#: A part takes seconds in which nothing is done here.
PARTS_AT_ONCE = clients.CONNECTIONS_MAX


def join(
    client: Any,
    bucket: str,
    source_keys: Sequence[str],
    key: str,
    *,
    content_type: str,
    known: Mapping[str, type[Exception]],
) -> None:
    """Raises Temporary, Refused, and what `known` says of an error code of S3."""
    with errors.judging("CreateMultipartUpload"):
        begun = client.create_multipart_upload(Bucket=bucket, Key=key, ContentType=content_type)
    upload = {"Bucket": bucket, "Key": key, "UploadId": begun["UploadId"]}
    try:
        parts = _copied(client, bucket, source_keys, upload, known)
        with errors.judging("CompleteMultipartUpload"):
            client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    except BaseException:
        # What it was for has failed already, and says why.
        with contextlib.suppress(exceptions.BotoCoreError, exceptions.ClientError):
            client.abort_multipart_upload(**upload)
        raise


def _copied(
    client: Any,
    bucket: str,
    source_keys: Sequence[str],
    upload: Mapping[str, str],
    known: Mapping[str, type[Exception]],
) -> list[dict[str, Any]]:
    def copy(number: int, source_key: str) -> dict[str, Any]:
        with errors.judging("UploadPartCopy", known):
            answer = client.upload_part_copy(
                **upload,
                CopySource={"Bucket": bucket, "Key": source_key},
                PartNumber=number,
            )
        return {"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]}

    copiers = ThreadPoolExecutor(PARTS_AT_ONCE)
    try:
        return list(copiers.map(copy, range(1, len(source_keys) + 1), source_keys))
    finally:
        # A part that arrives after the abort would stay.
        copiers.shutdown(wait=True, cancel_futures=True)
