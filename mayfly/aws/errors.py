"""Tells every refusal of AWS by its consequence: try later, decide again, gone, or never.

A message says which action was refused and AWS's code for it. It must never hold a URL, a
credential or a body, so the original exception, whose text may, is not chained.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping

from botocore import exceptions

from mayfly.perform.ports import Temporary


class Refused(ValueError):
    """As it was asked, this call can never succeed: a missing permission, a malformed value."""


#: What AWS's services call "not now". https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
TEMPORARY_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "KmsThrottled",
        "LimitExceededException",
        "OverLimit",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServerException",
        "ServiceUnavailable",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingError",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)

#: The call never reached AWS, or its answer never came back.
_UNREACHED = (
    exceptions.ConnectionError,
    exceptions.HTTPClientError,
    exceptions.CredentialRetrievalError,
    exceptions.MetadataRetrievalError,
    exceptions.IncompleteReadError,
)

_SAID_CHARACTERS_MAX = 300
_URL = re.compile(r"\w+://\S+")
#: Receipt handles, tokens, signatures.
_OPAQUE = re.compile(r"[A-Za-z0-9+/=_%-]{64,}")


@contextlib.contextmanager
def judging(action: str, known: Mapping[str, type[Exception]] | None = None) -> Iterator[None]:
    """Raises Temporary, Refused, or what `known` says of an error code of this action."""
    try:
        yield
    except exceptions.ClientError as error:
        raise judged(action, error, known or {}) from None
    except _UNREACHED as error:
        name = type(error).__name__
        raise Temporary(f"{action} got no answer from AWS ({name}).") from None
    except exceptions.BotoCoreError as error:
        name = type(error).__name__
        raise Refused(f"{action} could not be asked of AWS ({name}).") from None


def judged(
    action: str, error: exceptions.ClientError, known: Mapping[str, type[Exception]]
) -> Exception:
    """The exception that an answer of AWS amounts to."""
    name, status = code(error), error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if name in known:
        return known[name](f"{action} was answered by AWS with {name}.")
    if name in TEMPORARY_CODES or status >= 500 or status == 429:
        return Temporary(f"{action} was put off by AWS with {name}.")
    return Refused(f"{action} was refused by AWS with {name}: {said(error)}")


def code(error: exceptions.ClientError) -> str:
    """AWS's code, without the prefix that old SQS endpoints put before it."""
    return str(error.response.get("Error", {}).get("Code", "Unknown")).rpartition(".")[2]


def said(error: exceptions.ClientError) -> str:
    """AWS's own words, without what may be secret in them."""
    return clean(str(error.response.get("Error", {}).get("Message", "")))


def clean(text: str) -> str:
    """Without URLs and long opaque strings, and not too long."""
    return _OPAQUE.sub("…", _URL.sub("…", text))[:_SAID_CHARACTERS_MAX]
