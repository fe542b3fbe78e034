"""The edge of the completion handler: SQS batches and the tick in. No decision here."""

import os
from typing import Any

from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from completion_handler import desk
from mayfly.aws.world import aws_world
from mayfly.contract.settings import FunctionSettings
from mayfly.core.commands import Command
from mayfly.perform import engine, ticking

logger = Logger(service="completion_handler")
#: The rooms below log under this name with the standard library; Powertools makes it JSON.
copy_config_to_registered_loggers(logger, include={"mayfly"})
settings = FunctionSettings.from_env(os.environ)
world = aws_world(settings)
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Advances the jobs of a batch, or ticks; then runs what follows once."""
    todo: list[Command] = []

    def take(record: SQSRecord) -> None:
        todo.extend(desk.take_record(world, record.raw_event))

    answer: Any = None
    if "Records" in event:
        answer = process_partial_response(event, take, processor, context)
    else:
        todo.extend(ticking.tick(world))
    engine.run(world, todo)
    for figure in world.tally.take():
        _publish(figure.name, figure.unit, figure.value, dict(figure.dimensions))
    return answer


def _publish(name: str, unit: str, value: float, dimensions: dict[str, str]) -> None:
    base = {"stack": settings.stack}
    with single_metric(
        name, MetricUnit(unit), value, namespace="Mayfly", default_dimensions=base
    ) as metric:
        for key, text in dimensions.items():
            metric.add_dimension(key, text)
