"""What the two functions may do, statement by statement. Everything not here, they may not.

Resources are this stack's own; where AWS knows only a wildcard, a condition narrows it and the
reason stands beside it.
"""

from collections.abc import Sequence

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs

from infra import names
from infra.permission import allow
from infra.storage import OUTPUTS, PRESETS, UPLOADS, WORK
from infra.workers import Workers

_KEYS = "Keys are made of what users upload and of what jobs are called."


def keep_jobs(role: iam.Role, table: dynamodb.Table) -> None:
    """Read and write the job table and its index; nobody scans it."""
    allow(
        role,
        "JobTable",
        actions=[
            "dynamodb:GetItem",
            "dynamodb:BatchGetItem",
            "dynamodb:Query",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
            "dynamodb:DeleteItem",
            "dynamodb:ConditionCheckItem",
        ],
        on=[table.table_arn, f"{table.table_arn}/index/*"],
        wildcard_because="The table's own indexes.",
    )


def send(role: iam.Role, queues: Sequence[sqs.Queue]) -> None:
    """Put messages onto queues."""
    allow(role, "Send", actions=["sqs:SendMessage"], on=[queue.queue_arn for queue in queues])


def see_depths(role: iam.Role, queues: Sequence[sqs.Queue]) -> None:
    """Count messages; never as proof that a queue is empty."""
    allow(
        role,
        "SeeDepths",
        actions=["sqs:GetQueueAttributes"],
        on=[queue.queue_arn for queue in queues],
    )


def sweep(role: iam.Role, queues: Sequence[sqs.Queue]) -> None:
    """Look at what lies on a jobs queue without open work, and throw away what has ended."""
    allow(
        role,
        "Sweep",
        actions=["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"],
        on=[queue.queue_arn for queue in queues],
    )


def sign(role: iam.Role, signer: iam.Role) -> None:
    """Assume the role that signs grants."""
    allow(role, "Sign", actions=["sts:AssumeRole"], on=[signer.role_arn])


def publish_outcomes(role: iam.Role) -> None:
    """Put events that are ours, and can look like nobody else's, onto the default bus."""
    allow(
        role,
        "PublishOutcomes",
        actions=["events:PutEvents"],
        on=[names.arn("events", "event-bus/default")],
        when={"StringEquals": {"events:source": names.EVENT_SOURCE}},
    )


def hatch_workers(role: iam.Role, workers: Workers) -> None:
    """Create, size and delete services of our cluster that carry our name, and look at them."""
    in_our_cluster = {"ArnEquals": {"ecs:cluster": workers.cluster_arn}}
    allow(
        role,
        "HatchServices",
        actions=[
            "ecs:CreateService",
            "ecs:UpdateService",
            "ecs:DeleteService",
            "ecs:TagResource",
        ],
        on=[names.arn("ecs", f"service/{workers.cluster_name}/{names.SERVICE_PREFIX}*")],
        wildcard_because="Services are made at run time under fresh names: AWS refuses to "
        "re-create one that drains.",
    )
    # Of any name: one service of a stranger in the list would have the whole call refused.
    allow(
        role,
        "SeeServices",
        actions=["ecs:DescribeServices"],
        on=[names.arn("ecs", f"service/{workers.cluster_name}/*")],
        when=in_our_cluster,
        wildcard_because="The janitor looks at every service of our cluster.",
    )
    allow(
        role,
        "ListOurCluster",
        actions=["ecs:ListServices"],
        on=["*"],
        when=in_our_cluster,
        wildcard_because="Lists know no resource; the condition names our cluster.",
    )
    allow(
        role,
        "HandRolesToTasks",
        actions=["iam:PassRole"],
        on=workers.passable_roles,
        when={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
    )


def see_uploads(role: iam.Role, bucket: s3.Bucket) -> None:
    """Ask for an upload's size and ETag (HeadObject is s3:GetObject to IAM) and list uploads."""
    allow(
        role,
        "SeeUploads",
        actions=["s3:GetObject", "s3:GetObjectVersion"],
        on=[bucket.arn_for_objects(f"{UPLOADS}*")],
        wildcard_because=_KEYS,
    )


def read_presets(role: iam.Role, bucket: s3.Bucket) -> None:
    """Read users' presets, whose names come with uploads and requests; nobody here writes them."""
    allow(
        role,
        "ReadPresets",
        actions=["s3:GetObject"],
        on=[bucket.arn_for_objects(f"{PRESETS}*")],
        wildcard_because="Users name their presets.",
    )


def list_objects(role: iam.Role, bucket: s3.Bucket, prefixes: Sequence[str]) -> None:
    """List below prefixes. It also turns S3's 403 for a missing key into an honest 404."""
    allow(
        role,
        "ListObjects",
        actions=["s3:ListBucket"],
        on=[bucket.bucket_arn],
        # A HeadObject or GetObject of a missing key asks for this right too, and carries no
        # prefix: without "IfExists" it would stay a 403.
        when={"StringLikeIfExists": {"s3:prefix": [f"{prefix}*" for prefix in prefixes]}},
    )


def steer_attempts(role: iam.Role, bucket: s3.Bucket) -> None:
    """Write control objects and plans, read what attempts delivered."""
    allow(
        role,
        "SteerAttempts",
        actions=["s3:GetObject", "s3:PutObject"],
        on=[bucket.arn_for_objects(f"{WORK}*")],
        wildcard_because=_KEYS,
    )


def publish_outputs(role: iam.Role, bucket: s3.Bucket) -> None:
    """Copy finished attempts under clean names, in parts where they are large, and join pieces.
    Which calls these are: `tests/contract/test_store_rights.py`."""
    allow(
        role,
        "PublishOutputs",
        actions=[
            "s3:GetObject",
            "s3:PutObject",
            "s3:AbortMultipartUpload",
        ],
        on=[bucket.arn_for_objects(f"{OUTPUTS}*")],
        wildcard_because=_KEYS,
    )
