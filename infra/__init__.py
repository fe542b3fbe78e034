"""The CDK app. `infra.node` comes first because jsii looks for Node while `aws_cdk` is imported."""

from infra import node as node
