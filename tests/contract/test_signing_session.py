"""What only the AWS signer has: a session that was assumed for it, and URLs made by boto."""

import base64
import datetime
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore import exceptions

from mayfly.aws import clients, errors
from mayfly.aws.signer import StsSigner
from mayfly.core import limits
from mayfly.memory.clock import VirtualClock
from mayfly.perform.ports import Temporary

ROLE = "arn:aws:iam::000000000000:role/signer"


class Sts:
    """Gives numbered sessions of an hour, or of what is said."""

    def __init__(self, clock: VirtualClock, session_seconds: float = 3600) -> None:
        self._clock = clock
        self._session_seconds = session_seconds
        self.asked: list[dict[str, Any]] = []
        self.refusal: Exception | None = None

    def assume_role(self, **asked: Any) -> dict[str, Any]:
        if self.refusal:
            raise self.refusal
        self.asked.append(asked)
        ends_at = self._clock.now() + self._session_seconds
        return {
            "Credentials": {
                "AccessKeyId": f"KEY{len(self.asked)}",
                "SecretAccessKey": "very-secret",
                "SessionToken": f"token-{len(self.asked)}",
                "Expiration": datetime.datetime.fromtimestamp(ends_at, datetime.UTC),
            }
        }


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def sts(clock: VirtualClock) -> Sts:
    return Sts(clock)


@pytest.fixture
def signer(sts: Sts, clock: VirtualClock) -> StsSigner:
    return StsSigner(sts, ROLE, clock)


def query(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def test_the_role_is_assumed_for_an_hour_and_only_when_something_is_signed(
    sts: Sts, signer: StsSigner
) -> None:
    assert sts.asked == []
    signer.get("bucket", "key")
    assert sts.asked == [
        {"RoleArn": ROLE, "RoleSessionName": "mayfly-grants", "DurationSeconds": 3600}
    ]


def test_a_session_is_reused_only_while_every_url_outlives_its_grant(
    sts: Sts, signer: StsSigner, clock: VirtualClock
) -> None:
    signer.get("bucket", "key")
    clock.sleep(limits.SIGNER_REUSE_SECONDS - 1)
    signer.post("bucket", "work/", 1)
    signer.grants_end_at()
    assert len(sts.asked) == 1
    clock.sleep(1)
    fetch = signer.get("bucket", "key")
    assert len(sts.asked) == 2
    assert query(fetch.url)["X-Amz-Security-Token"] == "token-2"


def test_the_end_is_never_later_than_the_session(clock: VirtualClock) -> None:
    signer = StsSigner(Sts(clock, session_seconds=900), ROLE, clock)
    assert signer.grants_end_at() == clock.now() + 900


def test_nothing_is_signed_with_credentials_of_the_lambda(signer: StsSigner) -> None:
    """They end nobody knows when, and the URLs with them."""
    said = query(signer.get("bucket", "key").url)
    assert said["X-Amz-Credential"].startswith("KEY1/")
    form = signer.post("bucket", "work/", 1)
    assert form.fields["x-amz-credential"].startswith("KEY1/")
    assert form.fields["x-amz-security-token"] == "token-1"


def test_urls_are_signed_by_sigv4_for_the_host_of_the_region(signer: StsSigner) -> None:
    """boto's default in us-east-1 is SigV2 on the global host."""
    host = "bucket.s3.us-east-1.amazonaws.com"
    url = signer.get("bucket", "key").url
    assert urlsplit(url).hostname == host
    assert query(url)["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
    assert query(url)["X-Amz-Expires"] == str(limits.GRANT_SECONDS)
    assert urlsplit(signer.post("bucket", "work/", 1).url).hostname == host


def test_a_named_endpoint_gets_the_bucket_in_its_path(
    signer: StsSigner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:4566")
    assert signer.get("bucket", "key").url.startswith("http://127.0.0.1:4566/bucket/key?")
    assert signer.post("bucket", "work/", 1).url == "http://127.0.0.1:4566/bucket"


def test_a_version_is_pinned_in_the_query_and_an_etag_in_a_signed_header(
    signer: StsSigner,
) -> None:
    version = signer.get("bucket", "key", etag="abc", version_id="v1")
    assert (query(version.url)["versionId"], version.headers) == ("v1", {})
    etag = signer.get("bucket", "key", etag="abc")
    assert etag.headers == {"if-match": '"abc"'}
    assert query(etag.url)["X-Amz-SignedHeaders"] == "host;if-match"


def test_a_forms_policy_names_its_prefix_its_size_and_its_end(signer: StsSigner) -> None:
    form = signer.post("bucket", "work/job/task/", 1000)
    policy = json.loads(base64.b64decode(form.fields["policy"]))
    assert ["starts-with", "$key", "work/job/task/"] in policy["conditions"]
    assert ["content-length-range", 0, 1000] in policy["conditions"]
    assert {"bucket": "bucket"} in policy["conditions"]
    end = datetime.datetime.fromisoformat(policy["expiration"])
    left = end - datetime.datetime.now(datetime.UTC)
    assert abs(left.total_seconds() - limits.GRANT_SECONDS) < 60


def test_a_role_that_may_not_be_assumed_is_told_without_a_secret(
    sts: Sts, signer: StsSigner
) -> None:
    sts.refusal = exceptions.ClientError(
        {"Error": {"Code": "AccessDenied", "Message": "is not authorized to perform"}}, "AssumeRole"
    )
    with pytest.raises(errors.Refused, match=r"AssumeRole was refused by AWS with AccessDenied"):
        signer.get("bucket", "key")
    sts.refusal = exceptions.ConnectTimeoutError(endpoint_url="https://sts.example/?secret")
    with pytest.raises(Temporary) as caught:
        signer.get("bucket", "key")
    assert "sts.example" not in str(caught.value)


def test_a_signing_client_is_not_kept_by_the_process() -> None:
    first = clients.signing_s3(access_key="A", secret_key="B", session_token="C")
    assert first is not clients.signing_s3(access_key="A", secret_key="B", session_token="C")
