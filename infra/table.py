"""The job table: heads, task rows, pool rows, one index by state."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from infra import names

#: Lists what stands in a state without reading the whole table.
STATE_INDEX = "by_state"


class Table(Construct):
    """One DynamoDB table, paid by the request: with no work it costs nothing but its bytes."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        self.table = dynamodb.Table(
            self,
            "table",
            table_name=names.named("jobs"),
            partition_key=_string("pk"),
            sort_key=_string("sk"),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            time_to_live_attribute="expires_at",
            # The rows are the only record of who asked for what, they are small and expire, so
            # undoing a bad deployment's writes costs cents a month.
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            # Rows are worthless without the stack that reads them; outputs are in the bucket.
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.table.add_global_secondary_index(
            index_name=STATE_INDEX,
            partition_key=_string("gpk"),
            sort_key=_string("gsk"),
            projection_type=dynamodb.ProjectionType.ALL,
        )


def _string(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
