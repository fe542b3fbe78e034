"""Names that follow from content: the same request twice is the same job.

Pure hashing. Random ids come from the `Dice` port, never from here.
"""

import base64
import hashlib

import msgspec

from mayfly.contract.recipe import Recipe


class SourceObject(msgspec.Struct, frozen=True, kw_only=True):
    """One S3 object as it was when the request was made; or several of one folder, whose key ends
    with a slash: then the tag names them all, and the size is that of all."""

    bucket: str
    key: str
    etag: str
    size_bytes: int
    version_id: str = ""
    #: S3's order of events of one key; empty when the request was no upload.
    sequencer: str = ""

    @property
    def is_set(self) -> bool:
        """Whether it is several objects."""
        return self.key.endswith("/")

    @property
    def address(self) -> str:
        """`s3://bucket/key`."""
        return f"s3://{self.bucket}/{self.key}"


def job_id(tenant: str, source: SourceObject, recipe: Recipe, run: int) -> str:
    """26 lower-case letters and digits (128 bits), the same for the same content.

    The recipe is the resolved one, so a preset that changes makes new jobs. Version and sequencer
    are left out: they name an event, while bucket, key, ETag and size name the content.
    """
    identity = (tenant, source.bucket, source.key, source.etag, source.size_bytes, recipe, run)
    return digest(msgspec.json.encode(identity, order="sorted"))


def upload_id(source: SourceObject) -> str:
    """Names an upload by its content and its key, whatever is made of it."""
    identity = (source.bucket, source.key, source.etag, source.size_bytes)
    return digest(b"upload\n" + msgspec.json.encode(identity))


def digest(content: bytes) -> str:
    """26 lower-case letters and digits (128 bits) of some content."""
    return base64.b32encode(hashlib.sha256(content).digest()[:16]).decode().rstrip("=").lower()


def adopted_job_id(body: bytes, message_id: str) -> str:
    """The job of a task that a user put straight onto a jobs queue: this message, however often
    it is delivered."""
    return digest(message_id.encode() + b"\n" + body)


def adopted_token(body: bytes) -> str:
    """The token of an adopted task: known to whoever holds its message, and to nobody else."""
    return digest(b"token\n" + body)
