"""How AWS is asked: bounded, by SigV4, and not before it must be."""

import subprocess
import sys

import pytest

from mayfly.aws import clients


def test_a_call_is_bounded_in_tries_and_in_time() -> None:
    config = clients.make("sqs").meta.config
    assert config.retries == {"mode": "standard", "total_max_attempts": clients.ATTEMPTS_MAX}
    assert config.connect_timeout == clients.CONNECT_SECONDS_MAX
    assert config.read_timeout > 20, "the longest poll of a queue"
    assert config.user_agent_appid == "mayfly"


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "ap-southeast-1"])
def test_s3_is_signed_by_sigv4_for_the_host_of_its_region(
    monkeypatch: pytest.MonkeyPatch, region: str
) -> None:
    monkeypatch.setenv("AWS_REGION", region)
    signing = clients.signing_s3(access_key="A", secret_key="B", session_token="C")
    url = signing.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "k"})
    assert url.startswith(f"https://bucket.s3.{region}.amazonaws.com/k?X-Amz-Algorithm=AWS4")


def test_a_client_is_made_once() -> None:
    assert clients.sqs() is clients.sqs()
    assert clients.sqs().meta is clients.sqs().meta


def test_importing_the_adapters_imports_no_boto3_and_makes_no_client() -> None:
    """boto3 is 50 ms of CPU more than botocore, at every start of every Lambda."""
    said = (
        "import sys, mayfly.aws.world, mayfly.aws.clients as c;"
        "c.sqs(); sys.exit('boto3' in sys.modules or 's3transfer' in sys.modules"
        " or c.sqs()._made is not None)"
    )
    assert subprocess.run([sys.executable, "-c", said], check=False).returncode == 0
