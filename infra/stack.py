"""The stack: composes the constructs and grants what each may do to the others.

No resource is made here, and nothing is looked up: what depends on the account or the region is
left to CloudFormation.
"""

from typing import Any

from aws_cdk import Aws, CfnOutput, CliCredentialsStackSynthesizer, Stack, Tags
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra import grants
from infra.alarms import Alarms
from infra.config import Config
from infra.dashboard import Dashboard
from infra.events import TaskEvents, Tick
from infra.functions import Function, Shape
from infra.network import Existing, Network
from infra.queues import Queues
from infra.signer import Signer
from infra.storage import OUTPUTS, UPLOADS, WORK, Storage
from infra.table import Table
from infra.workers import Workers
from mayfly.contract.settings import FunctionSettings, PoolSettings, pools_to_json
from mayfly.core import limits

#: Where the deployer puts the Lambdas' code; it makes the bucket when there is none. Nothing of
#: `cdk bootstrap` is needed and no role is assumed.
ASSETS_BUCKET = "mayfly-assets-${AWS::AccountId}-${AWS::Region}"

#: The tag on everything that is this stack's.
STACK_TAG = "mayfly:stack"


class MayflyStack(Stack):
    """Everything that stands while nothing runs: it costs its storage and a tick."""

    def __init__(self, scope: Construct, *, config: Config) -> None:
        super().__init__(
            scope,
            config.stack,
            description="Mayfly: video in, deliverables out, machines only while there is work.",
            synthesizer=CliCredentialsStackSynthesizer(
                file_assets_bucket_name=ASSETS_BUCKET, bucket_prefix=""
            ),
        )
        self._config = config
        retention = _retention(config.log_retention_days)
        self.queues = Queues(self, "queues", pools=[pool.name for pool in config.pools])
        self.storage = Storage(
            self, "storage", uploads_to=self.queues.requests, retain=config.retain_bucket
        )
        self.table = Table(self, "table").table
        self.network = Network(
            self,
            "network",
            zones=config.zones,
            existing=Existing(vpc=config.vpc, subnets=config.subnets) if config.vpc else None,
        )
        self.workers = Workers(
            self,
            "workers",
            pools=config.pools,
            image=config.image,
            architecture=config.worker_architecture,
            jobs=self.queues.jobs,
            done=self.queues.done,
            source_hosts=config.source_hosts,
            chunk_seconds=config.chunk_seconds,
            finish_seconds=config.finish_seconds,
            log_retention=retention,
        )
        self._functions(
            Shape(
                build_dir=config.build_dir,
                architecture=config.lambda_architecture,
                memory_mib=config.function_memory_mib,
                log_retention=retention,
            )
        )
        self._grant()
        self._wake()
        self._watch()
        self._outputs()
        # Not as the stack's own tag: those must be known before the stack's name is.
        Tags.of(self).add(STACK_TAG, Aws.STACK_NAME, exclude_resource_types=["aws:cdk:stack"])

    def _functions(self, shape: Shape) -> None:
        self.dispatcher = Function(
            self,
            "dispatcher",
            package="dispatcher",
            timeout_seconds=limits.DISPATCHER_SECONDS_MAX,
            shape=shape,
        )
        self.completion = Function(
            self,
            "completion",
            package="completion_handler",
            timeout_seconds=limits.COMPLETION_SECONDS_MAX,
            shape=shape,
        )
        self.signer = Signer(
            self,
            "signer",
            trusted=[self.dispatcher.role, self.completion.role],
            bucket=self.storage.bucket,
        )
        variables = self._settings().to_env()
        for function in (self.dispatcher, self.completion):
            function.configure(variables)

    def _settings(self) -> FunctionSettings:
        return FunctionSettings(
            stack=Aws.STACK_NAME,
            table=self.table.table_name,
            bucket=self.storage.bucket.bucket_name,
            requests_queue_url=self.queues.requests.queue_url,
            done_queue_url=self.queues.done.queue_url,
            signer_role_arn=self.signer.role.role_arn,
            cluster=self.workers.cluster.ref,
            subnets=tuple(self.network.subnets),
            security_groups=tuple(self.network.security_groups),
            assign_public_ip=self._config.assign_public_ip,
            default_preset=self._config.default_preset,
            pools=self._pools(),
            finish_seconds=self._config.finish_seconds,
            foreseen_workers_max=self._config.foreseen_workers_max,
            source_bits_per_pixel=self._config.source_bits_per_pixel,
            spot_vcpu_quota=self._config.spot_vcpu_quota,
            on_demand_vcpu_quota=self._config.on_demand_vcpu_quota,
            dollars_per_hour_max=self._config.dollars_per_hour_max,
        )

    def _pools(self) -> tuple[PoolSettings, ...]:
        return tuple(
            PoolSettings(
                name=pool.name,
                jobs_queue_url=self.queues.jobs[pool.name].queue_url,
                dead_letter_queue_url=self.queues.jobs_dead[pool.name].queue_url,
                task_definition=self.workers.task_definitions[pool.name].task_definition_arn,
                vcpu=pool.vcpu,
                memory_mib=pool.memory_mib,
                workers_max=pool.workers_max,
                architecture=self._config.worker_architecture,
                on_demand_after_seconds=self._config.on_demand_after_seconds,
            )
            for pool in self._config.pools
        )

    def _grant(self) -> None:
        bucket, queues = self.storage.bucket, self.queues
        jobs = list(queues.jobs.values())
        for function in (self.dispatcher, self.completion):
            grants.keep_jobs(function.role, self.table)
            grants.sign(function.role, self.signer.role)
            grants.hatch_workers(function.role, self.workers)
            grants.see_uploads(function.role, bucket)
            grants.read_presets(function.role, bucket)
            grants.steer_attempts(function.role, bucket)
            grants.publish_outcomes(function.role)
        grants.send(self.dispatcher.role, jobs)
        grants.see_depths(self.dispatcher.role, jobs)
        grants.list_objects(self.dispatcher.role, bucket, [UPLOADS, WORK])
        grants.send(self.completion.role, jobs)
        grants.see_depths(
            self.completion.role, [*queues.live, *queues.consumed_dead, *queues.unconsumed_dead]
        )
        grants.sweep(self.completion.role, jobs)
        # The hourly round looks for uploads of which S3 has not told; whoever publishes a ladder a
        # second time, for what was copied before.
        grants.list_objects(self.completion.role, bucket, [UPLOADS, OUTPUTS])
        grants.publish_outputs(self.completion.role, bucket)

    def _wake(self) -> None:
        self.dispatcher.consume(self.queues.requests, invocations_max=limits.WORK_INVOCATIONS_MAX)
        self.completion.consume(self.queues.done, invocations_max=limits.WORK_INVOCATIONS_MAX)
        self.completion.consume(self.queues.events, invocations_max=limits.OTHER_INVOCATIONS_MAX)
        for queue in self.queues.consumed_dead:
            self.completion.consume(queue, invocations_max=limits.OTHER_INVOCATIONS_MAX)
        Tick(self, "tick", function=self.completion.function)
        TaskEvents(self, "ecs", queue=self.queues.events, cluster_arn=self.workers.cluster_arn)

    def _watch(self) -> None:
        functions = {
            "dispatcher": self.dispatcher.function,
            "completion-handler": self.completion.function,
        }
        alarms = Alarms(
            self,
            "alarms",
            queues=self.queues,
            pools=self._config.pools,
            functions=functions,
            topic=self._config.alarm_topic,
        )
        self.dashboard = Dashboard(
            self,
            "dashboard",
            queues=self.queues,
            pools=self._config.pools,
            functions=list(functions.values()),
            alarms=alarms.all,
        ).dashboard

    def _outputs(self) -> None:
        """What the command line and the laptop read; names are stable."""
        values: dict[str, Any] = {
            "Table": self.table.table_name,
            "Bucket": self.storage.bucket.bucket_name,
            "RequestsQueueUrl": self.queues.requests.queue_url,
            "DoneQueueUrl": self.queues.done.queue_url,
            "Cluster": self.workers.cluster.ref,
            "Pools": pools_to_json(self._pools()),
            "DashboardName": self.dashboard.dashboard_name,
            "DispatcherFunction": self.dispatcher.function.function_name,
            "CompletionFunction": self.completion.function.function_name,
            "DefaultPreset": self._config.default_preset,
            "EventBus": "default",
        }
        for name, value in values.items():
            CfnOutput(self, f"{name}Output", value=value).override_logical_id(name)


def _retention(days: int) -> logs.RetentionDays:
    """CDK spells 14 days TWO_WEEKS; a number is what people choose."""
    spelt = {
        1: logs.RetentionDays.ONE_DAY,
        3: logs.RetentionDays.THREE_DAYS,
        5: logs.RetentionDays.FIVE_DAYS,
        7: logs.RetentionDays.ONE_WEEK,
        14: logs.RetentionDays.TWO_WEEKS,
        30: logs.RetentionDays.ONE_MONTH,
        60: logs.RetentionDays.TWO_MONTHS,
        90: logs.RetentionDays.THREE_MONTHS,
        120: logs.RetentionDays.FOUR_MONTHS,
        150: logs.RetentionDays.FIVE_MONTHS,
        180: logs.RetentionDays.SIX_MONTHS,
        365: logs.RetentionDays.ONE_YEAR,
    }
    return spelt[days]
