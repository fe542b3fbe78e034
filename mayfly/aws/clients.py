"""AWS clients, made when first used, once a process, with the same bounds everywhere.

Why it exists: boto's defaults sign S3 URLs with SigV2 in us-east-1, send them to the global host,
wait a minute for a dead peer and try five times. And a client costs 30 to 110 ms of CPU, which a
Lambda bills at its start whether it needs that client or not.

It uses botocore, on which boto3 is built: importing boto3 itself costs 50 ms more, for resources
and collections that nobody here uses. It must never be given credentials to keep: only the
signer's session, which the signer hands back in for one client of its own.
"""

import functools
import os
import threading
from collections.abc import Mapping
from typing import Any

import botocore.session
from botocore.config import Config

#: Tries of one call, the first included; "standard" waits with jitter up to 20 s between them.
ATTEMPTS_MAX = 4

CONNECT_SECONDS_MAX = 3

#: Longer than the longest poll of a queue (20 s).
READ_SECONDS_MAX = 25

#: S3 answers a server-side copy of gigabytes only when it is done.
S3_READ_SECONDS_MAX = 120

#: One warm Lambda or worker never has more calls under way.
CONNECTIONS_MAX = 16

#: botocore's session is not safe for two threads that make clients at once.
_making = threading.Lock()


class _Lazy:
    """Stands for a client until its first call."""

    __slots__ = ("_made", "_service")

    def __init__(self, service: str) -> None:
        self._service = service
        self._made: Any = None

    def __getattr__(self, name: str) -> Any:
        if self._made is None:
            with _making:
                if self._made is None:
                    self._made = make(self._service)
        return getattr(self._made, name)


@functools.cache
def _client(service: str) -> Any:
    return _Lazy(service)


def of(service: str) -> Any:
    """The client of this process for a service."""
    return _client(service)


def sqs() -> Any:
    """The SQS client of this process."""
    return _client("sqs")


def dynamodb() -> Any:
    """The DynamoDB client of this process."""
    return _client("dynamodb")


def ecs() -> Any:
    """The ECS client of this process."""
    return _client("ecs")


def s3() -> Any:
    """The S3 client of this process. It must never sign URLs; `signing_s3` does."""
    return _client("s3")


def sts() -> Any:
    """The STS client of this process."""
    return _client("sts")


def events() -> Any:
    """The EventBridge client of this process."""
    return _client("events")


def signing_s3(*, access_key: str, secret_key: str, session_token: str) -> Any:
    """A new S3 client that signs with these credentials and no others."""
    with _making:
        return make(
            "s3",
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            aws_session_token=session_token,
        )


def make(service: str, **credentials: str) -> Any:
    """A new client, from the environment's region, endpoint and credentials."""
    return _session().create_client(
        service,
        region_name=region(os.environ),
        config=config(service, os.environ),
        **credentials,
    )


@functools.cache
def _session() -> Any:
    return botocore.session.get_session()


def region(env: Mapping[str, str]) -> str | None:
    """Lambda and Fargate both set AWS_REGION, which botocore does not read everywhere."""
    return env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or None


def config(service: str, env: Mapping[str, str]) -> Any:
    """The bounds of a service's client."""
    return Config(
        user_agent_appid="mayfly",
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS_MAX},
        connect_timeout=CONNECT_SECONDS_MAX,
        read_timeout=S3_READ_SECONDS_MAX if service == "s3" else READ_SECONDS_MAX,
        max_pool_connections=CONNECTIONS_MAX,
        tcp_keepalive=True,
        **(_s3(env) if service == "s3" else {}),
    )


def _s3(env: Mapping[str, str]) -> dict[str, Any]:
    """SigV4 and the region's own host; behind a named endpoint the bucket goes into the path,
    since `bucket.127.0.0.1` is no host."""
    named = env.get("AWS_ENDPOINT_URL_S3") or env.get("AWS_ENDPOINT_URL")
    return {
        "signature_version": "s3v4",
        "s3": {
            "addressing_style": "path" if named else "virtual",
            "us_east_1_regional_endpoint": "regional",
        },
        # A signed GET must carry no header that its user does not know of.
        "response_checksum_validation": "when_required",
    }
