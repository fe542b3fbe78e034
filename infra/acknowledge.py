"""One way to tell cdk-nag that a finding was seen and is meant, and why.

Each acknowledgement names one finding on one construct and gives the reason in a sentence. It
never silences a rule for the whole stack.
"""

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def acknowledge(construct: IConstruct, finding: str, *, why: str) -> None:
    """Accepts one AwsSolutions finding, e.g. `IAM5[Resource::*]`, on a construct."""
    rule = Acknowledgment(id=f"AwsSolutions-{finding}", reason=why)
    Validations.of(construct).acknowledge(rule)
