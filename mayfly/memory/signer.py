"""The Signer port in memory, and the other end of its URLs: what S3 would answer to them.

The host ends in amazonaws.com, so that a worker's list of allowed hosts means what it means there.
"""

import hmac
import json
from urllib.parse import parse_qs, quote, unquote, urlsplit

import msgspec

from mayfly.contract.task import Fetch, PostForm
from mayfly.core import limits
from mayfly.memory.faults import Faults
from mayfly.memory.store import MemoryStore, Object
from mayfly.perform.ports import Clock

_HOST = "s3.memory.amazonaws.com"

#: S3's AccessDenied whose message says that the signature has expired.
EXPIRED = "Expired"


class UrlRefused(Exception):
    """What S3 answers to a request that its signature does not cover."""

    def __init__(self, status: int, code: str) -> None:
        self.status = status
        self.code = code
        super().__init__(f"S3 answered {status} {code}.")


class MemorySigner:
    """Signs for a store, and serves what it signed."""

    def __init__(
        self,
        clock: Clock,
        store: MemoryStore,
        *,
        secret: bytes = b"memory",
        faults: Faults | None = None,
    ) -> None:
        self._clock = clock
        self._store = store
        self._secret = secret
        self._faults = faults or Faults()

    def grants_end_at(self) -> float:
        """GRANT_SECONDS from now."""
        return self._clock.now() + limits.GRANT_SECONDS

    def get(self, bucket: str, key: str, *, etag: str = "", version_id: str = "") -> Fetch:
        """Pinned as the port says."""
        self._faults.before("signer.get")
        headers = {"if-match": f'"{etag.strip(chr(34))}"'} if etag and not version_id else {}
        end = self._end()
        signature = self._signature("GET", bucket, key, version_id, end, headers)
        version = f"versionId={quote(version_id)}&" if version_id else ""
        return Fetch(
            url=f"https://{bucket}.{_HOST}/{quote(key)}?{version}ends={end}&signature={signature}",
            headers=headers,
        )

    def post(self, bucket: str, key_prefix: str, size_bytes_max: int) -> PostForm:
        """A policy over prefix, size and end."""
        if not key_prefix:
            raise ValueError("A form without a prefix would open the whole bucket.")
        self._faults.before("signer.post")
        policy = json.dumps([bucket, key_prefix, size_bytes_max, self._end()])
        fields = {"policy": policy, "x-amz-signature": self._signature("POST", policy)}
        return PostForm(
            url=f"https://{bucket}.{_HOST}/",
            fields=fields,
            key_prefix=key_prefix,
            size_bytes_max=size_bytes_max,
        )

    def fetched(self, fetch: Fetch) -> Object:
        """S3's answer to the GET. Raises UrlRefused."""
        asked = urlsplit(fetch.url)
        query = {name: values[0] for name, values in parse_qs(asked.query).items()}
        bucket, key = asked.netloc.removesuffix(f".{_HOST}"), unquote(asked.path[1:])
        version_id, end = query.get("versionId", ""), query.get("ends", "0")
        expected = self._signature("GET", bucket, key, version_id, end, fetch.headers)
        self._check(query.get("signature", ""), expected, end)
        found = self._store.get(bucket, key, version_id)
        if found is None:
            raise UrlRefused(404, "NoSuchVersion" if version_id else "NoSuchKey")
        if fetch.headers.get("if-match", f'"{found.etag}"') != f'"{found.etag}"':
            raise UrlRefused(412, "PreconditionFailed")
        return found

    def posted(self, form: PostForm, key: str, body: bytes) -> Object:
        """S3's answer to the POST. Raises UrlRefused."""
        policy = form.fields.get("policy", "")
        expected = self._signature("POST", policy)
        signature = form.fields.get("x-amz-signature", "")
        if not hmac.compare_digest(signature, expected):
            raise UrlRefused(403, "SignatureDoesNotMatch")
        bucket, key_prefix, size_bytes_max, end = json.loads(policy)
        self._check(signature, expected, end)
        if not key.startswith(key_prefix):
            raise UrlRefused(403, "AccessDenied")
        if len(body) > size_bytes_max:
            raise UrlRefused(400, "EntityTooLarge")
        return self._store.put(bucket, key, body)

    def _end(self) -> str:
        return repr(self.grants_end_at())

    def _check(self, signature: str, expected: str, end: str) -> None:
        if not hmac.compare_digest(signature, expected):
            raise UrlRefused(403, "SignatureDoesNotMatch")
        if self._clock.now() >= float(end):
            raise UrlRefused(403, EXPIRED)

    def _signature(self, *parts: object) -> str:
        signed = msgspec.json.encode(parts, order="sorted")
        return hmac.digest(self._secret, signed, "sha256").hex()
