"""One HTTP exchange with a signed URL: no redirect, no proxy, no reuse, no URL in any error.

Why not a connection pool: an exchange here carries megabytes to gigabytes, and a halt must be able
to cut exactly its socket. It must never follow where a server points.
"""

import contextlib
import functools
import ipaddress
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import BaseHTTPResponse
from urllib3.util import Url, parse_url

from worker.halt import Halt

#: A dead host is noticed in this time; S3 answers a connect in milliseconds.
CONNECT_SECONDS_MAX = 5.0
#: Silence on a connection for this long ends the try; S3 answers a large POST within seconds.
SILENCE_SECONDS_MAX = 30.0
#: What is read of an error's body to find its code.
_ERROR_BYTES_MAX = 4096


class Refused(Exception):
    """The URL itself is not one that this worker uses; the sentence says why, without it."""


class Broken(Exception):
    """The exchange broke off: the same may succeed when tried again."""


@dataclass(frozen=True, slots=True)
class HostRule:
    """Which hosts URLs may name: a host, or a suffix with a leading dot."""

    hosts: tuple[str, ...]

    def check(self, url: str) -> Url:
        """The parts of an allowed URL. Raises Refused."""
        try:
            parts = parse_url(url)
        except urllib3.exceptions.LocationParseError:
            raise Refused("it is not a URL") from None
        host = (parts.host or "").strip("[]").lower()
        if not host or parts.auth is not None:
            raise Refused("it names no host, or a user")
        if not any(_matches(host, rule.lower()) for rule in self.hosts):
            raise Refused(f"the host {host[:80]} is not among the allowed ones")
        if parts.scheme != "https" and not _is_loopback(host):
            raise Refused("only https is allowed")
        return parts


def _matches(host: str, rule: str) -> bool:
    return host.endswith(rule) if rule.startswith(".") else host == rule


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextlib.contextmanager
def exchange(
    method: str,
    url: str,
    *,
    rule: HostRule,
    halt: Halt,
    headers: Mapping[str, str],
    body: Iterable[bytes] | None = None,
    silence_seconds: float = SILENCE_SECONDS_MAX,
) -> Iterator[BaseHTTPResponse]:
    """Sends one request; the answer's body is read inside. Raises Refused, Broken, Halted."""
    parts = rule.check(url)
    connection = _connection(parts)
    try:
        with _no_urls(halt), halt.ending(lambda: _cut(connection)):
            connection.connect()
            halt.check()
            _silence(connection, silence_seconds)
            _send(connection, method, parts, headers, body)
            yield connection.getresponse()
    finally:
        connection.close()


@contextlib.contextmanager
def _no_urls(halt: Halt) -> Iterator[None]:
    """urllib3's exceptions quote URLs; ours name a type. A cut connection is a halt."""
    try:
        yield
    except (urllib3.exceptions.HTTPError, OSError, ssl.SSLError, ValueError) as error:
        halt.check()
        raise Broken(type(error).__name__) from None


def _connection(parts: Url) -> HTTPConnection:
    host = (parts.host or "").strip("[]")
    if parts.scheme == "https":
        return HTTPSConnection(
            host,
            parts.port or 443,
            timeout=CONNECT_SECONDS_MAX,
            ssl_context=_trust(),
        )
    return HTTPConnection(host, parts.port or 80, timeout=CONNECT_SECONDS_MAX)


@functools.cache
def _trust() -> ssl.SSLContext:
    """The machine's authorities; reading them takes 15 ms."""
    return ssl.create_default_context()


def _send(
    connection: HTTPConnection,
    method: str,
    parts: Url,
    headers: Mapping[str, str],
    body: Iterable[bytes] | None,
) -> None:
    try:
        connection.request(
            method,
            parts.request_uri,
            body=body,
            headers=dict(headers),
            preload_content=False,
            decode_content=False,
        )
    except (BrokenPipeError, ConnectionResetError):
        # A server that refuses a large body may answer before it is sent and close; the answer
        # says more than the broken pipe, and reading it fails by itself where there is none.
        return


def _silence(connection: HTTPConnection, seconds: float) -> None:
    connection.timeout = seconds
    if connection.sock is not None:
        connection.sock.settimeout(seconds)


def _cut(connection: HTTPConnection) -> None:
    """Ends a blocked read or write in whichever thread it is."""
    sock = connection.sock
    if sock is not None:
        # The plain socket's: TLS's own shutdown would first talk to the peer.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def error_code(response: BaseHTTPResponse) -> str:
    """S3's code out of an error's XML, such as AccessDenied; empty when there is none. An expired
    signature is AccessDenied too and differs by its message alone, so it gets a name here."""
    try:
        text = response.read(_ERROR_BYTES_MAX, decode_content=False).decode("utf-8", "replace")
    except (urllib3.exceptions.HTTPError, OSError):
        return ""
    code = "".join(c for c in _between(text, "<Code>", "</Code>")[:64] if c.isalnum())
    message = _between(text, "<Message>", "</Message>").lower()
    if code == "ExpiredToken" or (code == "AccessDenied" and "expired" in message):
        return EXPIRED
    return code


#: What `error_code` calls a dead signature.
EXPIRED = "Expired"


def _between(text: str, start: str, end: str) -> str:
    return text.partition(start)[2].partition(end)[0]
