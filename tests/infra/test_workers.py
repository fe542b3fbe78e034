"""Claims about the cluster, what a worker is, and where it stands."""

from typing import Any

from mayfly.contract.settings import WorkerSettings
from mayfly.core import limits
from tests.infra.synthesised import Template


def container_of(template: Template, pool: str) -> dict[str, Any]:
    task = template.one("AWS::ECS::TaskDefinition", f"mayfly-{pool}")
    (container,) = task["ContainerDefinitions"]
    found: dict[str, Any] = container
    return found


def test_the_cluster_itself_knows_spot(any_template: Template) -> None:
    cluster = any_template.one("AWS::ECS::Cluster")
    assert cluster["CapacityProviders"] == ["FARGATE", "FARGATE_SPOT"]
    assert cluster["DefaultCapacityProviderStrategy"] == [
        {"CapacityProvider": "FARGATE_SPOT", "Weight": 1}
    ]
    # A resource of its own is not known to the embedded AWS and hinders deletion on AWS.
    assert not any_template.all("AWS::ECS::ClusterCapacityProviderAssociations")


def test_a_standard_worker_fits_a_new_account(template: Template) -> None:
    task = template.one("AWS::ECS::TaskDefinition")
    assert (task["Cpu"], task["Memory"]) == ("2048", "4096")
    assert task["EphemeralStorage"] == {"SizeInGiB": 30}
    assert task["RequiresCompatibilities"] == ["FARGATE"]
    assert task["NetworkMode"] == "awsvpc"
    assert task["RuntimePlatform"] == {
        "CpuArchitecture": "X86_64",
        "OperatingSystemFamily": "LINUX",
    }


def test_the_free_disk_is_not_asked_for(other_template: Template) -> None:
    """ECS refuses 20 GiB, which is what one has."""
    small = other_template.one("AWS::ECS::TaskDefinition", "mayfly-small")
    assert "EphemeralStorage" not in small.properties
    large = other_template.one("AWS::ECS::TaskDefinition", "mayfly-large")
    assert large["EphemeralStorage"] == {"SizeInGiB": 100}
    assert large["RuntimePlatform"]["CpuArchitecture"] == "ARM64"


def test_a_worker_can_change_nothing_but_its_scratch(any_template: Template) -> None:
    for task in any_template.all("AWS::ECS::TaskDefinition"):
        (container,) = task["ContainerDefinitions"]
        assert container["Name"] == "worker"
        assert container["ReadonlyRootFilesystem"] is True
        assert container["User"] == "1000:1000"
        assert container["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
        assert "Privileged" not in container
        assert "Secrets" not in container
        assert container["MountPoints"] == [
            {"ContainerPath": "/scratch", "ReadOnly": False, "SourceVolume": "scratch"}
        ]
        assert task["Volumes"] == [{"Name": "scratch"}]


def test_no_second_process_shows_the_environment(any_template: Template) -> None:
    """An init process would be PID 1 with the same environment, and dumpable."""
    for task in any_template.all("AWS::ECS::TaskDefinition"):
        (container,) = task["ContainerDefinitions"]
        assert container["LinuxParameters"]["InitProcessEnabled"] is False


def test_a_worker_has_two_minutes_to_leave(any_template: Template) -> None:
    for task in any_template.all("AWS::ECS::TaskDefinition"):
        (container,) = task["ContainerDefinitions"]
        assert container["StopTimeout"] == limits.STOP_SECONDS == 120


def test_a_slow_log_does_not_stop_an_encode(template: Template) -> None:
    options = container_of(template, "standard")["LogConfiguration"]["Options"]
    assert options["mode"] == "non-blocking"


def test_a_worker_is_told_its_queues_and_its_size(other_template: Template) -> None:
    for pool, threads, memory_mib, workers in (("small", 1, 2048, 4), ("standard", 2, 4096, 3)):
        environment = {
            pair["Name"]: pair["Value"]
            for pair in container_of(other_template, pool)["Environment"]
        }
        assert WorkerSettings.from_env(environment) == WorkerSettings(
            pool=pool,
            jobs_queue_url=f"<mayfly-jobs-{pool}>",
            done_queue_url="<mayfly-done>",
            scratch="/scratch",
            threads=threads,
            memory_mib=memory_mib,
            source_hosts=(".amazonaws.com", "media.example.com"),
            workers_max=workers,
            chunk_seconds=30,
            stop_seconds=limits.STOP_SECONDS,
            finish_seconds=900,
        )


def test_workers_stand_in_public_subnets_of_three_zones_without_nat(template: Template) -> None:
    subnets = template.all("AWS::EC2::Subnet")
    assert {subnet["AvailabilityZone"] for subnet in subnets} == {"zone-a", "zone-b", "zone-c"}
    assert {subnet["MapPublicIpOnLaunch"] for subnet in subnets} == {False}
    assert not template.all("AWS::EC2::NatGateway")
    routes = template.all("AWS::EC2::Route")
    assert {route["DestinationCidrBlock"] for route in routes} == {"0.0.0.0/0"}
    assert {route["GatewayId"] for route in routes} == {
        f"<{template.one('AWS::EC2::InternetGateway').name}>"
    }


def test_every_subnet_reaches_s3_through_the_free_gateway(template: Template) -> None:
    endpoint = template.one("AWS::EC2::VPCEndpoint")
    assert endpoint["VpcEndpointType"] == "Gateway"
    assert endpoint["ServiceName"] == "com.amazonaws.eu-west-1.s3"
    tables = {f"<{table.name}>" for table in template.all("AWS::EC2::RouteTable")}
    assert set(endpoint["RouteTableIds"]) == tables


def test_nothing_comes_in_and_only_https_goes_out(any_template: Template) -> None:
    group = any_template.one("AWS::EC2::SecurityGroup")
    assert "SecurityGroupIngress" not in group.properties
    assert not any_template.all("AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress")
    (way_out,) = group["SecurityGroupEgress"]
    assert (way_out["IpProtocol"], way_out["FromPort"], way_out["ToPort"]) == ("tcp", 443, 443)


def test_an_existing_vpc_is_used_and_not_changed(other_template: Template) -> None:
    kinds = {r.type for r in other_template.all() if r.type.startswith("AWS::EC2::")}
    assert kinds == {"AWS::EC2::SecurityGroup"}
    assert other_template.one("AWS::EC2::SecurityGroup")["VpcId"] == "vpc-0a1b2c3d"
    variables = other_template.one("AWS::Lambda::Function", "mayfly-dispatcher")["Environment"]
    assert variables["Variables"]["MAYFLY_SUBNETS"] == "subnet-0a1b2c3d,subnet-4e5f6a7b"
    assert variables["Variables"]["MAYFLY_ASSIGN_PUBLIC_IP"] == "false"
