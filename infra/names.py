"""Physical names, built from what CloudFormation knows at deploy time.

The template never spells the stack's name: one synthesised template can stand twice in an account
under two names.
"""

from aws_cdk import Aws, Fn

#: The last part of the stack's ARN, a UUID that no two stacks share.
_STACK_UUID = Fn.select(2, Fn.split("/", Aws.STACK_ID))

#: EventBridge source of everything that Mayfly publishes.
EVENT_SOURCE = "mayfly"

#: What every run-time service's name begins with; IAM statements hold on to it.
SERVICE_PREFIX = "mayfly-"


def named(suffix: str) -> str:
    """A readable name of this stack's: `<stack>-<suffix>`."""
    return f"{Aws.STACK_NAME}-{suffix}"


def bucket_name() -> str:
    """The bucket's name, known before the bucket exists.

    The queue's policy must name the bucket, and the bucket's notification needs the policy in
    place: with a generated name that is a circle. Bucket names are global, hence the account; and
    a retained bucket must not stand in the way of the next stack, hence the stack's UUID.
    """
    return Fn.join("-", ["mayfly", Aws.ACCOUNT_ID, Fn.select(0, Fn.split("-", _STACK_UUID))])


def arn(service: str, resource: str) -> str:
    """An ARN in this stack's partition, region and account."""
    return f"arn:{Aws.PARTITION}:{service}:{Aws.REGION}:{Aws.ACCOUNT_ID}:{resource}"


def bucket_arn() -> str:
    """The bucket's ARN, without asking the bucket."""
    return f"arn:{Aws.PARTITION}:s3:::{bucket_name()}"


def account() -> str:
    """The account that the stack stands in."""
    return Aws.ACCOUNT_ID
