"""What a worker is and may do: the cluster, one task definition and one role per pool.

There is no ECS service here: the Lambdas create services when there is work and delete them when
there is none. A worker may use its own jobs queue, report to `done` and protect itself; it has no
S3 permission and cannot see the table.
"""

import re
from collections.abc import Mapping, Sequence

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra import names
from infra.acknowledge import acknowledge
from infra.config import DISK_GIB_FREE, Pool
from infra.permission import allow
from mayfly.contract.settings import WorkerSettings
from mayfly.core import limits

#: The container's name; the local Fargate and log streams know it.
CONTAINER = "worker"

#: The only place a worker can write to. The image must own it by user 1000 and declare it as a
#: VOLUME: ECS gives a fresh volume the owner that the image's VOLUME has, else root.
SCRATCH = "/scratch"

_ARCHITECTURE = {
    "x86_64": ecs.CpuArchitecture.X86_64,
    "arm64": ecs.CpuArchitecture.ARM64,
}

_ECR_IMAGE = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[\w-]+)\.amazonaws\.com/(?P<repository>[\w./-]+)"
)


class Workers(Construct):
    """The cluster and its task definitions, by pool."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        pools: Sequence[Pool],
        image: str,
        architecture: str,
        jobs: Mapping[str, sqs.Queue],
        done: sqs.Queue,
        source_hosts: tuple[str, ...],
        chunk_seconds: int,
        finish_seconds: int,
        log_retention: logs.RetentionDays,
    ) -> None:
        super().__init__(scope, construct_id)
        self._image = image
        self._architecture = architecture
        self._source_hosts = source_hosts
        self._chunk_seconds = chunk_seconds
        self._finish_seconds = finish_seconds
        self._done = done
        self.cluster = self._cluster()
        self.log_group = logs.LogGroup(
            self,
            "log",
            log_group_name=f"/mayfly/{names.named('worker')}",
            retention=log_retention,
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.execution_role = self._execution_role()
        self.task_roles: dict[str, iam.Role] = {}
        self.task_definitions: dict[str, ecs.FargateTaskDefinition] = {}
        for pool in pools:
            role = self._task_role(pool.name, jobs[pool.name])
            self.task_roles[pool.name] = role
            self.task_definitions[pool.name] = self._task_definition(pool, jobs[pool.name], role)

    @property
    def cluster_name(self) -> str:
        return names.named("workers")

    @property
    def cluster_arn(self) -> str:
        return self.cluster.attr_arn

    @property
    def passable_roles(self) -> list[str]:
        """What `CreateService` hands to ECS."""
        return [self.execution_role.role_arn, *(r.role_arn for r in self.task_roles.values())]

    def _cluster(self) -> ecs.CfnCluster:
        # The plain resource: CDK's own construct associates capacity providers by a second
        # resource, which keeps a cluster from being deleted while services drain, and wants a VPC
        # that the cluster itself has no use for.
        cluster = ecs.CfnCluster(
            self,
            "cluster",
            cluster_name=self.cluster_name,
            capacity_providers=["FARGATE", "FARGATE_SPOT"],
            default_capacity_provider_strategy=[
                ecs.CfnCluster.CapacityProviderStrategyItemProperty(
                    capacity_provider="FARGATE_SPOT", weight=1
                )
            ],
            cluster_settings=[
                ecs.CfnCluster.ClusterSettingsProperty(name="containerInsights", value="disabled")
            ],
        )
        acknowledge(
            cluster,
            "ECS4",
            why="Container Insights bills every metric of every short-lived task; the tick counts "
            "workers, and receipts come from ECS's own task events.",
        )
        return cluster

    def _execution_role(self) -> iam.Role:
        """Of ECS itself, before and beside the container: pull the image, write the log."""
        role = iam.Role(self, "execution", assumed_by=_ecs_tasks_of_this_account())
        found = _ECR_IMAGE.match(self._image)
        if found is None:
            return role
        repository = (
            f"arn:{Stack.of(self).partition}:ecr:{found['region']}:{found['account']}"
            f":repository/{found['repository']}"
        )
        allow(
            role,
            "PullTheImage",
            actions=[
                "ecr:BatchCheckLayerAvailability",
                "ecr:BatchGetImage",
                "ecr:GetDownloadUrlForLayer",
            ],
            on=[repository],
        )
        allow(
            role,
            "EnterTheRegistry",
            actions=["ecr:GetAuthorizationToken"],
            on=["*"],
            wildcard_because="The action knows no resource.",
        )
        return role

    def _task_role(self, pool: str, jobs: sqs.Queue) -> iam.Role:
        """What the container's code, and whoever takes it over, may do. It is this short on
        purpose."""
        role = iam.Role(self, f"{pool}-role", assumed_by=_ecs_tasks_of_this_account())
        allow(
            role,
            "TakeWork",
            actions=["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"],
            on=[jobs.queue_arn],
        )
        allow(role, "Report", actions=["sqs:SendMessage"], on=[self._done.queue_arn])
        allow(
            role,
            "ProtectItself",
            actions=["ecs:GetTaskProtection", "ecs:UpdateTaskProtection"],
            on=[names.arn("ecs", f"task/{self.cluster_name}/*")],
            when={"ArnEquals": {"ecs:cluster": self.cluster_arn}},
            wildcard_because="A task's id is not known before it runs; the cluster holds only "
            "workers.",
        )
        return role

    def _task_definition(
        self, pool: Pool, jobs: sqs.Queue, role: iam.Role
    ) -> ecs.FargateTaskDefinition:
        task = ecs.FargateTaskDefinition(
            self,
            pool.name,
            family=names.named(pool.name),
            cpu=pool.cpu_units,
            memory_limit_mib=pool.memory_mib,
            # 20 GiB is what one has without asking; asking for 20 is an error.
            ephemeral_storage_gib=pool.disk_gib if pool.disk_gib > DISK_GIB_FREE else None,
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=_ARCHITECTURE[self._architecture],
                operating_system_family=ecs.OperatingSystemFamily.LINUX,
            ),
            task_role=role,
            execution_role=self.execution_role,
            volumes=[ecs.Volume(name="scratch")],
        )
        container = self._container(task, pool, jobs)
        container.add_mount_points(
            ecs.MountPoint(container_path=SCRATCH, source_volume="scratch", read_only=False)
        )
        acknowledge(
            task,
            "ECS2",
            why="The variables name queues, sizes and paths; a worker is given no secret at all.",
        )
        return task

    def _container(
        self, task: ecs.FargateTaskDefinition, pool: Pool, jobs: sqs.Queue
    ) -> ecs.ContainerDefinition:
        settings = WorkerSettings(
            pool=pool.name,
            jobs_queue_url=jobs.queue_url,
            done_queue_url=self._done.queue_url,
            scratch=SCRATCH,
            threads=pool.vcpu,
            memory_mib=pool.memory_mib,
            source_hosts=self._source_hosts,
            workers_max=pool.workers_max,
            chunk_seconds=self._chunk_seconds,
            stop_seconds=limits.STOP_SECONDS,
            finish_seconds=self._finish_seconds,
        )
        # No init process: PID 1 would be a second, dumpable one with the same environment, from
        # which ffmpeg could read the way to the task's credentials. The worker reaps its children.
        linux = ecs.LinuxParameters(self, f"{pool.name}-linux", init_process_enabled=False)
        linux.drop_capabilities(ecs.Capability.ALL)
        return task.add_container(
            CONTAINER,
            image=ecs.ContainerImage.from_registry(self._image),
            environment=settings.to_env(),
            essential=True,
            user="1000:1000",
            readonly_root_filesystem=True,
            linux_parameters=linux,
            # Fargate's most; its default of 30 s kills an upload in flight.
            stop_timeout=Duration.seconds(limits.STOP_SECONDS),
            logging=ecs.LogDrivers.aws_logs(
                stream_prefix=pool.name,
                log_group=self.log_group,
                # A slow log must not stop the encode.
                mode=ecs.AwsLogDriverMode.NON_BLOCKING,
            ),
        )


def _ecs_tasks_of_this_account() -> iam.IPrincipal:
    """ECS may assume the role for tasks of this account only (the confused deputy)."""
    return iam.ServicePrincipal(
        "ecs-tasks.amazonaws.com",
        conditions={
            "ArnLike": {"aws:SourceArn": names.arn("ecs", "*")},
            "StringEquals": {"aws:SourceAccount": names.account()},
        },
    )
