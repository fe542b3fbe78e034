"""The bucket: uploads in, attempts in `work/` for a week, outputs out; beside them users' presets.

It tells the requests queue of every upload by a property of its own, not by CDK's notification
custom resource: that would be one more Lambda, with the right to rewrite any bucket's
notifications.
"""

from typing import cast

from aws_cdk import Aws, Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra import names
from infra.acknowledge import acknowledge
from mayfly.core import limits

UPLOADS = "uploads/"
WORK = "work/"
OUTPUTS = "outputs/"
PRESETS = "presets/"
ASSETS = "assets/"


class Storage(Construct):
    """One private bucket."""

    def __init__(
        self, scope: Construct, construct_id: str, *, uploads_to: sqs.Queue, retain: bool
    ) -> None:
        super().__init__(scope, construct_id)
        self.bucket = s3.Bucket(
            self,
            "bucket",
            bucket_name=names.bucket_name(),
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="attempts", prefix=WORK, expiration=Duration.days(limits.ATTEMPT_DAYS)
                ),
                # Parts of an upload that nobody finished are billed and listed nowhere.
                s3.LifecycleRule(
                    id="unfinished", abort_incomplete_multipart_upload_after=Duration.days(1)
                ),
            ],
            # Not versioned: a grant is pinned to the ETag, keys under work/ and outputs/ are
            # written once, and old versions of videos would be paid for unseen.
            versioned=False,
            removal_policy=RemovalPolicy.RETAIN if retain else RemovalPolicy.DESTROY,
        )
        if retain and self.bucket.policy is not None:
            # A bucket that outlives its stack keeps asking for TLS.
            self.bucket.policy.apply_removal_policy(RemovalPolicy.RETAIN)
        acknowledge(
            self.bucket,
            "S1",
            why="Every object is written by a grant or a copy that the job table already records; "
            "an access-log bucket would store the same again, for ever, and outlive the stack.",
        )
        self._notify(uploads_to)

    def _notify(self, queue: sqs.Queue) -> None:
        queue.add_to_resource_policy(
            iam.PolicyStatement(
                sid="UploadsOfThisBucket",
                principals=[iam.ServicePrincipal("s3.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[queue.queue_arn],
                # The account too: a bucket's name can be taken by somebody else once it is free.
                conditions={
                    "ArnEquals": {"aws:SourceArn": names.bucket_arn()},
                    "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
                },
            )
        )
        bucket = cast(s3.CfnBucket, self.bucket.node.default_child)
        bucket.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            queue_configurations=[
                s3.CfnBucket.QueueConfigurationProperty(
                    event="s3:ObjectCreated:*",
                    queue=queue.queue_arn,
                    filter=s3.CfnBucket.NotificationFilterProperty(
                        s3_key=s3.CfnBucket.S3KeyFilterProperty(
                            rules=[s3.CfnBucket.FilterRuleProperty(name="prefix", value=UPLOADS)]
                        )
                    ),
                )
            ]
        )
        # S3 tries the queue when it stores the notification, so the permission comes first.
        policy = cast(sqs.CfnQueuePolicy, queue.node.find_child("Policy").node.default_child)
        bucket.add_resource_dependency(policy)
