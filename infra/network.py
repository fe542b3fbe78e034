"""Where workers stand: public subnets, a way to S3 that costs nothing, and a door out on 443.

No NAT gateway: video through it costs $0.045 a GB, an idle one $32 a month. A public address costs
$0.005 an hour, only while a worker lives, and nothing can come in through it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import Fn
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from infra import names
from infra.acknowledge import acknowledge


@dataclass(frozen=True, slots=True, kw_only=True)
class Existing:
    """A VPC that is somebody else's."""

    vpc: str
    subnets: tuple[str, ...]


class Network(Construct):
    """Subnets and a security group for workers, in a VPC of our own or an existing one."""

    def __init__(
        self, scope: Construct, construct_id: str, *, zones: int, existing: Existing | None
    ) -> None:
        super().__init__(scope, construct_id)
        vpc = self._existing_vpc(existing) if existing else self._own_vpc(zones)
        self.subnets: Sequence[str] = (
            existing.subnets if existing else [subnet.subnet_id for subnet in vpc.public_subnets]
        )
        group = ec2.SecurityGroup(
            self,
            "workers",
            vpc=vpc,
            security_group_name=names.named("workers"),
            description="Mayfly workers: nothing in, HTTPS out (SQS, S3, ECR, logs).",
            allow_all_outbound=False,
        )
        group.add_egress_rule(
            ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "SQS, S3, the image's registry, logs"
        )
        self.security_groups: Sequence[str] = [group.security_group_id]

    def _own_vpc(self, zones: int) -> ec2.IVpc:
        vpc = ec2.Vpc(
            self,
            "vpc",
            ip_addresses=ec2.IpAddresses.cidr("10.0.0.0/16"),
            # By index, because names of zones would need a look into the account at synth.
            availability_zones=[Fn.select(zone, Fn.get_azs()) for zone in range(zones)],
            nat_gateways=0,
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="workers",
                    subnet_type=ec2.SubnetType.PUBLIC,
                    # One address a worker: 4,091 in each zone.
                    cidr_mask=20,
                    # The service asks for addresses itself; nothing else here shall have one.
                    map_public_ip_on_launch=False,
                )
            ],
            gateway_endpoints={
                # Free, and carries the image's layers as well.
                "s3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3)
            },
            # Would be a Lambda with the right to change security groups; no worker ever stands
            # in the default group.
            restrict_default_security_group=False,
        )
        acknowledge(
            vpc,
            "VPC7",
            why="Workers accept no connection and speak only HTTPS to AWS; flow logs would cost "
            "more than the network and show nothing that the job's story does not.",
        )
        return vpc

    def _existing_vpc(self, existing: Existing) -> ec2.IVpc:
        # The zones are not used, but an imported VPC must have as many as subnets.
        return ec2.Vpc.from_vpc_attributes(
            self,
            "vpc",
            vpc_id=existing.vpc,
            availability_zones=["unused"] * len(existing.subnets),
            public_subnet_ids=list(existing.subnets),
        )
