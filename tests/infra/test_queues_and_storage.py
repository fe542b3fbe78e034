"""Claims about queues, the bucket and the table."""

import json

from mayfly.core import limits
from tests.infra.synthesised import Template

FUNCTION_TIMEOUT_SECONDS = {"mayfly-dispatcher": 60, "mayfly-completion-handler": 300}


def test_every_queue_is_encrypted_and_refuses_plain_http(any_template: Template) -> None:
    policies = {
        queue: policy["PolicyDocument"]["Statement"]
        for policy in any_template.all("AWS::SQS::QueuePolicy")
        for queue in policy["Queues"]
    }
    queues = any_template.all("AWS::SQS::Queue")
    assert len(queues) >= 8
    for queue in queues:
        assert queue["SqsManagedSseEnabled"] is True
        assert {
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": "sqs:*",
            "Resource": f"<{queue.name}.Arn>",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        } in policies[f"<{queue.name}>"]


def test_every_queue_has_dead_letters_of_its_own_for_fourteen_days(any_template: Template) -> None:
    queues = {queue.name: queue for queue in any_template.all("AWS::SQS::Queue")}
    live = {name for name in queues if not name.endswith("-dead")}
    assert {"mayfly-requests", "mayfly-done", "mayfly-events", "mayfly-jobs-standard"} <= live
    assert queues.keys() == live | {f"{name}-dead" for name in live}
    for name in live:
        redrive = queues[name]["RedrivePolicy"]
        assert redrive["deadLetterTargetArn"] == f"<{name}-dead.Arn>"
        receives = limits.RECEIVES_MAX if "-jobs-" in name else 5
        assert redrive["maxReceiveCount"] == receives
        dead = queues[f"{name}-dead"]
        assert dead["MessageRetentionPeriod"] == 14 * 24 * 3600
        assert "RedrivePolicy" not in dead.properties


def test_a_task_is_hidden_for_as_long_as_the_worker_was_told(any_template: Template) -> None:
    for queue in any_template.all("AWS::SQS::Queue"):
        if "-jobs-" in queue.name and not queue.name.endswith("-dead"):
            assert queue["VisibilityTimeout"] == limits.VISIBILITY_SECONDS


def test_a_queue_hides_messages_six_times_as_long_as_its_function_may_take(
    any_template: Template,
) -> None:
    queues = {f"<{q.name}.Arn>": q for q in any_template.all("AWS::SQS::Queue")}
    for mapping in any_template.all("AWS::Lambda::EventSourceMapping"):
        function = mapping["FunctionName"].strip("<>")
        hidden = queues[mapping["EventSourceArn"]]["VisibilityTimeout"]
        assert hidden >= 6 * FUNCTION_TIMEOUT_SECONDS[function]


def test_only_this_bucket_of_this_account_may_announce_uploads(template: Template) -> None:
    bucket = template.one("AWS::S3::Bucket")
    policy = next(
        p for p in template.all("AWS::SQS::QueuePolicy") if p["Queues"] == ["<mayfly-requests>"]
    )
    allowed = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Allow"]
    assert allowed == [
        {
            "Sid": "UploadsOfThisBucket",
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": "<mayfly-requests.Arn>",
            "Condition": {
                "ArnEquals": {"aws:SourceArn": f"arn:aws:s3:::{bucket['BucketName']}"},
                "StringEquals": {"aws:SourceAccount": "123456789012"},
            },
        }
    ]


def test_uploads_and_nothing_else_are_announced(template: Template) -> None:
    bucket = template.one("AWS::S3::Bucket")
    assert bucket["NotificationConfiguration"] == {
        "QueueConfigurations": [
            {
                "Event": "s3:ObjectCreated:*",
                "Queue": "<mayfly-requests.Arn>",
                "Filter": {"S3Key": {"Rules": [{"Name": "prefix", "Value": "uploads/"}]}},
            }
        ]
    }


def test_the_bucket_waits_for_the_permission_to_announce(template: Template) -> None:
    """S3 tries the queue when the notification is stored, and refuses it otherwise."""
    waits_for = template.one("AWS::S3::Bucket").raw["DependsOn"]
    policies = [template.body["Resources"][logical_id] for logical_id in waits_for]
    assert [template.text(p["Properties"]["Queues"]) for p in policies] == [["<mayfly-requests>"]]


def test_the_bucket_name_is_another_for_each_stack(template: Template) -> None:
    """A retained bucket must not stand in the way of the next stack of that name."""
    assert template.one("AWS::S3::Bucket")["BucketName"] == "mayfly-123456789012-0a1b2c3d"
    assert "AWS::StackId" in json.dumps(template.one("AWS::S3::Bucket").raw)


def test_the_bucket_is_private_encrypted_and_speaks_tls_only(any_template: Template) -> None:
    bucket = any_template.one("AWS::S3::Bucket")
    assert bucket["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    }
    rules = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rules == [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
    assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    statements = any_template.one("AWS::S3::BucketPolicy")["PolicyDocument"]["Statement"]
    (only,) = statements
    assert (only["Effect"], only["Action"], only["Principal"]) == ("Deny", "s3:*", {"AWS": "*"})
    assert only["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert only["Resource"] == [f"<{bucket.name}.Arn>", f"<{bucket.name}.Arn>/*"]


def test_attempts_leave_after_a_week_and_unfinished_uploads_after_a_day(template: Template) -> None:
    rules = template.one("AWS::S3::Bucket")["LifecycleConfiguration"]["Rules"]
    assert sorted(rules, key=lambda rule: str(rule["Id"])) == [
        {"Id": "attempts", "Status": "Enabled", "Prefix": "work/", "ExpirationInDays": 7},
        {
            "Id": "unfinished",
            "Status": "Enabled",
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
        },
    ]


def test_the_table_is_paid_by_the_request_and_forgets(template: Template) -> None:
    table = template.one("AWS::DynamoDB::Table")
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["KeySchema"] == [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    (index,) = table["GlobalSecondaryIndexes"]
    assert index["IndexName"] == "by_state"
    assert [key["AttributeName"] for key in index["KeySchema"]] == ["gpk", "gsk"]
    assert index["Projection"] == {"ProjectionType": "ALL"}
    assert {a["AttributeType"] for a in table["AttributeDefinitions"]} == {"S"}
