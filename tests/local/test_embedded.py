"""What Mayfly takes for granted of AWS, the embedded AWS does too."""

import io
import json
import time
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
import urllib3
from botocore.config import Config

from local import embedded
from tests.local.conftest import living, wait_for

pytestmark = pytest.mark.embedded

HANDLER = """
import json, os, time, uuid
import boto3

RUN = uuid.uuid4().hex

def handler(event, context):
    failures = []
    for record in event.get("Records", ()):
        if "slow" in record["body"]:
            time.sleep(0.5)
        if "bad" in record["body"]:
            failures.append({"itemIdentifier": record["messageId"]})
    boto3.client("sqs").send_message(QueueUrl=os.environ["OUT"], MessageBody=json.dumps({
        "bodies": [record["body"] for record in event.get("Records", ())],
        "event": None if "Records" in event else event,
        "at": time.time(), "run": RUN, "endpoint": os.environ["AWS_ENDPOINT_URL"],
        "profile": os.environ.get("AWS_PROFILE"),
    }))
    return {"batchItemFailures": failures}
"""


@pytest.fixture
def bucket(aws: embedded.EmbeddedAws) -> str:
    name = f"b-{uuid.uuid4().hex}"
    aws.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def signer(aws: embedded.EmbeddedAws) -> Any:
    """An S3 client with the credentials of an assumed role, as grants are signed with."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
    }
    name = f"signer-{uuid.uuid4().hex[:8]}"
    role = aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))[
        "Role"
    ]
    got = aws.client("sts").assume_role(
        RoleArn=role["Arn"], RoleSessionName="grants", DurationSeconds=3600
    )["Credentials"]
    return boto3.session.Session().client(
        "s3",
        region_name=embedded.REGION,
        endpoint_url=aws.endpoint_url,
        aws_access_key_id=got["AccessKeyId"],
        aws_secret_access_key=got["SecretAccessKey"],
        aws_session_token=got["SessionToken"],
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )


def get(url: str, **headers: str) -> urllib3.BaseHTTPResponse:
    return urllib3.request("GET", url, headers=headers, retries=False)


def test_a_url_signed_by_an_assumed_role_works_and_a_changed_one_does_not(
    aws: embedded.EmbeddedAws, bucket: str, signer: Any
) -> None:
    for key in ("mine", "yours"):
        aws.client("s3").put_object(Bucket=bucket, Key=key, Body=b"0123456789")
    url = signer.generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": "mine"}, ExpiresIn=600
    )
    assert "X-Amz-Security-Token" in url
    assert get(url).data == b"0123456789"
    part = get(url, Range="bytes=2-4")
    assert (part.status, part.data) == (206, b"234")
    assert get(url.replace("/mine?", "/yours?")).status == 403
    assert get(url.replace("Expires=600", "Expires=6000")).status == 403


def test_a_url_that_ran_out_is_refused(aws: embedded.EmbeddedAws, bucket: str, signer: Any) -> None:
    aws.client("s3").put_object(Bucket=bucket, Key="k", Body=b"x")
    url = signer.generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": "k"}, ExpiresIn=1
    )
    wait_for(lambda: get(url).status == 403)


def test_a_url_pinned_to_an_etag_is_refused_once_the_object_was_replaced(
    aws: embedded.EmbeddedAws, bucket: str, signer: Any
) -> None:
    s3 = aws.client("s3")
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"first")["ETag"]
    url = signer.generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": "k", "IfMatch": etag}, ExpiresIn=600
    )
    assert "if-match" in url
    assert get(url, **{"If-Match": etag}).data == b"first"
    assert get(url).status == 403, "the header is signed, so it cannot be left out"
    s3.put_object(Bucket=bucket, Key="k", Body=b"second")
    assert get(url, **{"If-Match": etag}).status == 412


def post(form: dict[str, Any], key: str, content: bytes) -> int:
    fields = [*form["fields"].items(), ("file", ("file", content))]
    fields = [(name, key if name == "key" else value) for name, value in fields]
    return urllib3.request("POST", form["url"], fields=fields, retries=False).status


def test_a_post_of_an_assumed_role_holds_to_its_prefix_and_length(
    aws: embedded.EmbeddedAws, bucket: str, signer: Any
) -> None:
    form = signer.generate_presigned_post(
        bucket,
        "work/${filename}",
        Conditions=[["starts-with", "$key", "work/"], ["content-length-range", 1, 10]],
        ExpiresIn=600,
    )
    assert "x-amz-security-token" in form["fields"]
    assert post(form, "work/out.mp4", b"12345") == 204
    assert aws.client("s3").head_object(Bucket=bucket, Key="work/out.mp4")["ContentLength"] == 5
    assert post(form, "outputs/out.mp4", b"12345") == 403
    assert post(form, "work/long.mp4", b"x" * 11) == 400


def test_an_object_lies_on_disk_not_in_memory(aws: embedded.EmbeddedAws, bucket: str) -> None:
    s3 = aws.client("s3")
    s3.put_object(Bucket=bucket, Key="film", Body=bytes(50_000_000))
    on_disk = [path for path in (aws.folder / "s3").rglob("film") if path.is_file()]
    assert [path.stat().st_size for path in on_disk] == [50_000_000]
    got = s3.get_object(Bucket=bucket, Key="film", Range="bytes=40000000-40000009")
    assert got["Body"].read() == bytes(10)


class Function:
    """A Lambda function that eats one queue and tells another what it ate."""

    def __init__(self, aws: embedded.EmbeddedAws) -> None:
        self.name = f"f-{uuid.uuid4().hex[:8]}"
        self.sqs = aws.client("sqs")
        self.functions = aws.client("lambda")
        self.out = self.queue("out")
        self.dead = self.queue("dead")
        redrive = {"deadLetterTargetArn": self.arn(self.dead), "maxReceiveCount": 2}
        self.source = self.queue("in", VisibilityTimeout="2", RedrivePolicy=json.dumps(redrive))
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("main.py", HANDLER)
        self.arn_of_it = self.functions.create_function(
            FunctionName=self.name,
            Runtime="python3.13",
            Role="arn:aws:iam::000000000000:role/f",
            Handler="main.handler",
            Code={"ZipFile": packed.getvalue()},
            Timeout=30,
            Environment={"Variables": {"OUT": self.out}},
        )["FunctionArn"]

    def queue(self, name: str, **attributes: str) -> str:
        made = self.sqs.create_queue(QueueName=f"{self.name}-{name}", Attributes=attributes)
        url: str = made["QueueUrl"]
        return url

    def arn(self, url: str) -> str:
        got = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        arn: str = got["Attributes"]["QueueArn"]
        return arn

    def map(self, **more: Any) -> None:
        self.functions.create_event_source_mapping(
            EventSourceArn=self.arn(self.source),
            FunctionName=self.name,
            **{"BatchSize": 10, **more},
        )

    def told(self) -> Iterator[dict[str, Any]]:
        while True:
            got = self.sqs.receive_message(QueueUrl=self.out, MaxNumberOfMessages=10)
            if not got.get("Messages"):
                return
            for message in got["Messages"]:
                yield json.loads(message["Body"])
                self.sqs.delete_message(QueueUrl=self.out, ReceiptHandle=message["ReceiptHandle"])


@pytest.fixture
def function(aws: embedded.EmbeddedAws) -> Function:
    return Function(aws)


def test_a_message_reaches_a_warm_function_at_once(
    aws: embedded.EmbeddedAws, function: Function
) -> None:
    function.map()
    seen: set[str] = set()

    def warm() -> float | None:
        """How long a message took to a process that ate one before; the first ones start it."""
        sent = time.time()
        function.sqs.send_message(QueueUrl=function.source, MessageBody="hello")
        [one] = wait_for(lambda: list(function.told()))
        assert one["bodies"] == ["hello"]
        assert one["endpoint"] == aws.endpoint_url, "its AWS calls come back here"
        took = one["at"] - sent if one["run"] in seen else None
        seen.add(one["run"])
        return took

    assert wait_for(warm) < 1


def test_a_reported_failure_alone_comes_back_and_ends_among_the_dead(function: Function) -> None:
    function.map(FunctionResponseTypes=["ReportBatchItemFailures"])
    function.sqs.send_message_batch(
        QueueUrl=function.source,
        Entries=[{"Id": body, "MessageBody": body} for body in ("good", "bad")],
    )
    ate: list[str] = []

    def dead() -> list[dict[str, Any]]:
        for one in function.told():
            ate.extend(one["bodies"])
        got = function.sqs.receive_message(QueueUrl=function.dead)
        messages: list[dict[str, Any]] = got.get("Messages", [])
        return messages

    [letter] = wait_for(dead)
    assert letter["Body"] == "bad"
    # At least once: on a busy machine a batch may show again before it is deleted.
    assert ate.count("bad") >= 2 and set(ate) == {"bad", "good"}


def test_no_more_batches_run_at_once_than_the_mapping_allows(function: Function) -> None:
    for number in range(8):
        function.sqs.send_message(QueueUrl=function.source, MessageBody=f"slow {number}")
    function.map(BatchSize=1, ScalingConfig={"MaximumConcurrency": 2})
    told: list[dict[str, Any]] = []

    def ate_all() -> bool:
        told.extend(function.told())
        return len({body for one in told for body in one["bodies"]}) == 8

    wait_for(ate_all)
    assert len({one["run"] for one in told}) <= 2


def test_a_message_stays_hidden_as_long_as_its_queue_says(function: Function) -> None:
    url = function.queue("jobs", VisibilityTimeout="90")
    function.sqs.send_message(QueueUrl=url, MessageBody="task")
    [message] = function.sqs.receive_message(QueueUrl=url)["Messages"]
    assert "Messages" not in function.sqs.receive_message(QueueUrl=url)
    function.sqs.change_message_visibility(
        QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
    )
    assert function.sqs.receive_message(QueueUrl=url)["Messages"]


def test_it_listens_on_this_machine_alone(aws: embedded.EmbeddedAws) -> None:
    port = urlsplit(aws.endpoint_url).port
    listening = [
        line.split()[1]
        for name in ("tcp", "tcp6")
        for line in Path("/proc/net", name).read_text().splitlines()[1:]
        if line.split()[3] == "0A" and int(line.split()[1].rpartition(":")[2], 16) == port
    ]
    assert listening == [f"0100007F:{port:04X}"]


def test_a_port_that_is_taken_is_told_with_its_last_words(
    aws: embedded.EmbeddedAws, tmp_path: Path
) -> None:
    port = urlsplit(aws.endpoint_url).port
    assert port is not None
    with pytest.raises(embedded.EmbeddedAwsFailed, match="Address already in use"):
        embedded.start(tmp_path, port=port)


def test_nothing_is_left_of_it_when_it_stops(tmp_path: Path) -> None:
    with embedded.start(tmp_path) as aws:
        function = Function(aws)
        function.map()
        function.sqs.send_message(QueueUrl=function.source, MessageBody="hello")
        wait_for(lambda: list(function.told()))
        assert len(living(tmp_path)) >= 2, "the host and a Lambda"
    assert living(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]


def test_a_function_s_code_is_unpacked_once_for_all_its_processes(
    aws: embedded.EmbeddedAws, function: Function
) -> None:
    function.map(BatchSize=1)
    for number in range(4):
        function.sqs.send_message(QueueUrl=function.source, MessageBody=f"slow {number}")
    told: list[dict[str, Any]] = []

    def several() -> bool:
        told.extend(function.told())
        return len({one["run"] for one in told}) > 1

    wait_for(several)
    processes = list((aws.folder / "tmp").glob(f"ministack-lambda-{function.name}-*/code/main.py"))
    assert len(processes) > 1
    assert len({path.resolve() for path in processes}) == 1
