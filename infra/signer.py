"""The role whose credentials sign every grant.

A URL dies with the credentials that signed it, and nobody knows when a Lambda's own do. So the
functions assume this role and know the hour. What it may do is what a leaked URL could do at most.
"""

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.permission import allow
from infra.storage import ASSETS, UPLOADS, WORK
from mayfly.core import limits

_ONE_KEY_EACH = (
    "Grants are signed for keys that do not exist before their job does; each URL names one key."
)


class Signer(Construct):
    """Read sources, images and control objects, write attempts; for the two functions only."""

    def __init__(
        self, scope: Construct, construct_id: str, *, trusted: Sequence[iam.Role], bucket: s3.Bucket
    ) -> None:
        super().__init__(scope, construct_id)
        self.role = iam.Role(
            self,
            "role",
            assumed_by=iam.CompositePrincipal(
                *(iam.ArnPrincipal(role.role_arn) for role in trusted)
            ),
            max_session_duration=Duration.seconds(limits.SIGNER_SESSION_SECONDS),
        )
        allow(
            self.role,
            "ReadSourcesAndControls",
            actions=["s3:GetObject", "s3:GetObjectVersion"],
            on=[bucket.arn_for_objects(f"{UPLOADS}*"), bucket.arn_for_objects(f"{WORK}*")],
            wildcard_because=_ONE_KEY_EACH,
        )
        allow(
            self.role,
            "ReadImages",
            actions=["s3:GetObject"],
            on=[bucket.arn_for_objects(f"{ASSETS}*")],
            wildcard_because="Users name the images that their recipes draw.",
        )
        allow(
            self.role,
            "WriteAttempts",
            actions=["s3:PutObject"],
            on=[bucket.arn_for_objects(f"{WORK}*")],
            wildcard_because=_ONE_KEY_EACH,
        )
        # Without it, S3 answers 403 for a control object that nobody has written yet, and a
        # worker could not tell "go on" from "your grant is dead".
        allow(
            self.role,
            "MissingIsNotForbidden",
            actions=["s3:ListBucket"],
            on=[bucket.bucket_arn],
            # A GetObject carries no prefix, and no URL of ours ever lists.
            when={"StringLikeIfExists": {"s3:prefix": f"{WORK}*"}},
        )
