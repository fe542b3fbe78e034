"""Moves whole files between a person's disk and the bucket, in parts when large, and says how far.

For the console. It must never be used by a Lambda or a worker: those copy server-side, or speak
to signed URLs.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from s3transfer.manager import TransferConfig, TransferManager  # type: ignore[import-untyped]
from s3transfer.subscribers import BaseSubscriber  # type: ignore[import-untyped]

from mayfly.aws import errors
from mayfly.perform.ports import Gone

#: Below it a file is one PUT, whose ETag is the file's MD5: the same file gives the same job.
ONE_PUT_BYTES_MAX = 64 * 1024 * 1024
PART_BYTES = 16 * 1024 * 1024

#: How many bytes have been moved since the last call.
OnBytes = Callable[[int], None]

_GONE: dict[str, type[Exception]] = dict.fromkeys(("404", "NoSuchKey", "NoSuchBucket"), Gone)


class _Told(BaseSubscriber):  # type: ignore[misc]
    """Hands each step on."""

    def __init__(self, on_bytes: OnBytes) -> None:
        self._on_bytes = on_bytes

    def on_progress(self, bytes_transferred: int, **_: Any) -> None:
        """s3transfer's word for it; less than 0 when a part is sent again."""
        self._on_bytes(bytes_transferred)


class Cargo:
    """One bucket, for whole files."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def upload(self, path: Path, key: str, on_bytes: OnBytes) -> None:
        """Interrupted, it leaves no object and no unfinished parts. Raises OSError, Temporary."""
        with errors.judging("PutObject", _GONE), self._manager() as manager:
            manager.upload(str(path), self._bucket, key, subscribers=[_Told(on_bytes)]).result()

    def download(self, key: str, path: Path, on_bytes: OnBytes) -> None:
        """The file appears whole or not at all. Raises Gone, OSError, Temporary."""
        with errors.judging("GetObject", _GONE), self._manager() as manager:
            manager.download(self._bucket, key, str(path), subscribers=[_Told(on_bytes)]).result()

    def _manager(self) -> Any:
        settings = TransferConfig(
            multipart_threshold=ONE_PUT_BYTES_MAX + 1, multipart_chunksize=PART_BYTES
        )
        return TransferManager(self._client, settings)
