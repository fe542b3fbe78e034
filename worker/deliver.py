"""Stores an output through the task's signed form or URLs, and tells its hash.

The file is streamed from disk, never held in memory, and hashed on its way. What one POST cannot
carry is stored in pieces, where somebody joins them. Each try signs nothing and trusts nothing of
the one before. It must never name a URL in an error.
"""

import dataclasses
import hashlib
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

from mayfly.contract.report import Artifact, Media
from mayfly.contract.task import PostForm, PutUrls
from mayfly.core import limits, naming
from worker import http, pieces
from worker.ends import Halted, Reason, WorkFailed
from worker.grants import HeldGrants
from worker.halt import Halt
from worker.http import HostRule
from worker.pieces import Span, all_of

#: Pauses of 0.5, 1, 2 and 4 s between them.
_TRIES_MAX = 5
_PAUSE_SECONDS = 0.5
_CHUNK_BYTES = 1 << 18
_LATER = (408, 409, 425, 429)
#: S3's words for a file beyond the policy's length.
_TOO_LARGE = "EntityTooLarge"

_CONTENT_TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".mpd": "application/dash+xml",
    ".m4s": "video/iso.segment",
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".mkv": "video/x-matroska",
    ".webm": "video/webm",
    ".m4a": "audio/mp4",
    ".mp3": "audio/mpeg",
    ".opus": "audio/ogg",
    ".ogg": "audio/ogg",
    ".flac": "audio/flac",
    ".mka": "audio/x-matroska",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".vtt": "text/vtt",
    ".srt": "application/x-subrip",
    ".gif": "image/gif",
    ".webp": "image/webp",
}


def content_type(file: str) -> str:
    """By the name's end."""
    return _CONTENT_TYPES.get(Path(file).suffix, "application/octet-stream")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """Where a span is now, and what was sent."""

    file: str
    key: str
    size_bytes: int
    sha256: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    method: str
    url: str
    headers: Mapping[str, str]
    #: Before and after the file's bytes.
    head: bytes
    foot: bytes
    key: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Deliverer:
    """Stores the outputs of one attempt."""

    rule: HostRule
    grants: HeldGrants
    halt: Halt
    #: The attempt's own: two attempts never write the same key.
    nonce: str
    #: Whether somebody joins what is stored in pieces of `piece_bytes`.
    joined: bool = False
    piece_bytes: int = limits.PIECE_BYTES
    tries_max: int = _TRIES_MAX

    def deliver(self, path: Path, media: Media) -> Artifact:
        """Raises WorkFailed, Halted."""
        size = path.stat().st_size
        if size > (carried := self._carried_bytes()):
            form = self.grants.upload
            if not (self.joined and isinstance(form, PostForm) and size <= form.output_bytes_max):
                raise WorkFailed("output_limit", f"{path.name} has {size} bytes")
            return self._in_pieces(path, size, min(self.piece_bytes, carried), media)
        stored = self.store(all_of(path, path.name))
        return Artifact(
            file=stored.file,
            key=stored.key,
            size_bytes=size,
            sha256=stored.sha256,
            media=media,
        )

    def _carried_bytes(self) -> int:
        """What one request may carry."""
        match self.grants.upload:
            case PostForm(size_bytes_max=allowed):
                return allowed
            case PutUrls():
                return limits.POST_BYTES_MAX

    def _in_pieces(self, path: Path, size: int, piece_bytes: int, media: Media) -> Artifact:
        spans = pieces.cut(path, size, piece_bytes)
        sent, digest = pieces.send(path, spans, lambda span: self.store(span).sha256)
        form = self.grants.upload
        assert isinstance(form, PostForm)
        return Artifact(
            file=path.name,
            key=self._key(form, path.name),
            size_bytes=size,
            sha256=digest,
            media=media,
            pieces=sent,
        )

    def store(self, span: Span) -> Stored:
        """Raises WorkFailed, Halted."""
        said = ""
        for attempt in range(self.tries_max):
            if attempt:
                self.halt.wait(_PAUSE_SECONDS * 2 ** (attempt - 1))
            request = self._request(span)
            digest = hashlib.sha256()
            try:
                said = self._send(request, span, digest)
            except http.Broken as broken:
                said = str(broken)
            except http.Refused as refused:
                raise WorkFailed("delivery_refused", f"{span.name}: {refused}") from None
            if not said:
                return Stored(
                    file=span.file,
                    key=request.key,
                    size_bytes=span.size,
                    sha256=digest.hexdigest(),
                )
        raise WorkFailed("delivery_failed", f"{span.name}: {said} after {self.tries_max} tries")

    def _send(self, request: _Request, span: Span, digest: "hashlib._Hash") -> str:
        """Empty when it is stored; else why the same may succeed later."""
        length = len(request.head) + span.size + len(request.foot)
        with http.exchange(
            request.method,
            request.url,
            rule=self.rule,
            halt=self.halt,
            headers={**request.headers, "Content-Length": str(length)},
            body=self._body(request, span, digest),
        ) as response:
            status = response.status
            if status in (200, 201, 204):
                return ""
            if status in _LATER or status >= 500:
                return f"the storage answered {status}"
            code = http.error_code(response)
        if code == http.EXPIRED or (status in (401, 403) and self.grants.dead()):
            raise Halted(Reason.GRANT_EXPIRED)
        if code == _TOO_LARGE:
            raise WorkFailed("output_limit", f"{span.name} has {span.size} bytes")
        raise WorkFailed(
            "delivery_refused", f"{span.name}: the storage answered {status} {code}".rstrip()
        )

    def _body(self, request: _Request, span: Span, digest: "hashlib._Hash") -> Iterator[bytes]:
        if request.head:
            yield request.head
        for block in span.blocks(_CHUNK_BYTES):
            self.halt.check()
            digest.update(block)
            yield block
        if request.foot:
            yield request.foot

    def _request(self, span: Span) -> _Request:
        match self.grants.upload:
            case PostForm() as form:
                key = self._key(form, span.file)
                if span.number:
                    key = naming.piece_key(key, span.number)
                return _post(form, key, span.file)
            case PutUrls(urls=urls):
                if span.file not in urls:
                    raise WorkFailed("delivery_refused", f"there is no URL for {span.file}")
                granted = urls[span.file]
                # Exactly the signed headers: a Content-Type of ours would break an older signature.
                return _Request(
                    method="PUT", url=granted.url, headers=granted.headers,
                    head=b"", foot=b"", key="",
                )  # fmt: skip

    def _key(self, form: PostForm, file: str) -> str:
        return f"{form.key_prefix}{self.nonce}/{file}"


def _post(form: PostForm, key: str, file: str) -> _Request:
    """A multipart form. S3 ignores every field after the file, so the file is the last."""
    boundary = secrets.token_hex(16)
    kind = content_type(file)
    fields = {name: value for name, value in form.fields.items() if name.lower() != "key"}
    for name in fields:
        if name.lower() == "content-type":  # only where the policy speaks of it
            fields[name] = kind
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in {"key": key, **fields}.items()
    ]
    parts.append(
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{file}"\r\n'
        f"Content-Type: {kind}\r\n\r\n"
    )
    return _Request(
        method="POST",
        url=form.url,
        headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
        head="".join(parts).encode(),
        foot=f"\r\n--{boundary}--\r\n".encode(),
        key=key,
    )
