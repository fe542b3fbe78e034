"""Claims about the two Lambdas and what wakes them."""

import json

from tests.infra.synthesised import Template


def test_functions_run_on_graviton_and_python_3_13(template: Template) -> None:
    timeouts = {}
    for function in template.all("AWS::Lambda::Function"):
        assert function["Runtime"] == "python3.13"
        assert function["Architectures"] == ["arm64"]
        assert function["MemorySize"] == 512
        assert "ReservedConcurrentExecutions" not in function.properties
        assert "VpcConfig" not in function.properties
        timeouts[function.name] = function["Timeout"]
    assert timeouts == {"mayfly-dispatcher": 60, "mayfly-completion-handler": 300}


def test_the_architecture_can_be_chosen(other_template: Template) -> None:
    for function in other_template.all("AWS::Lambda::Function"):
        assert function["Architectures"] == ["x86_64"]


def test_each_queue_wakes_the_function_that_it_is_for(any_template: Template) -> None:
    woken: dict[str, set[str]] = {}
    for mapping in any_template.all("AWS::Lambda::EventSourceMapping"):
        queue = mapping["EventSourceArn"].strip("<>").removesuffix(".Arn").removeprefix("mayfly-")
        woken.setdefault(mapping["FunctionName"], set()).add(queue)
    pools = [
        task.name.removeprefix("mayfly-") for task in any_template.all("AWS::ECS::TaskDefinition")
    ]
    assert woken == {
        "<mayfly-dispatcher>": {"requests"},
        "<mayfly-completion-handler>": {
            "done",
            "events",
            "requests-dead",
            *(f"jobs-{pool}-dead" for pool in pools),
        },
    }


def test_one_bad_message_fails_alone(any_template: Template) -> None:
    for mapping in any_template.all("AWS::Lambda::EventSourceMapping"):
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert mapping["BatchSize"] == 10
        assert "MaximumBatchingWindowInSeconds" not in mapping.properties


def test_handlers_run_at_low_fixed_concurrency(any_template: Template) -> None:
    for mapping in any_template.all("AWS::Lambda::EventSourceMapping"):
        assert 2 <= mapping["ScalingConfig"]["MaximumConcurrency"] <= 5


def test_the_tick_comes_once_a_minute_and_is_not_tried_again(template: Template) -> None:
    rule = template.one("AWS::Events::Rule", "mayfly-tick")
    assert rule["ScheduleExpression"] == "rate(1 minute)"
    (target,) = rule["Targets"]
    assert target["Arn"] == "<mayfly-completion-handler.Arn>"
    assert json.loads(target["Input"]) == {"mayfly": "tick"}
    assert target["RetryPolicy"]["MaximumRetryAttempts"] == 0
    asynchronous = template.one("AWS::Lambda::EventInvokeConfig")
    assert asynchronous["FunctionName"] == "<mayfly-completion-handler>"
    assert asynchronous["MaximumRetryAttempts"] == 0


def test_only_the_tick_may_invoke_a_function_directly(template: Template) -> None:
    permission = template.one("AWS::Lambda::Permission")
    assert permission["Principal"] == "events.amazonaws.com"
    assert permission["SourceArn"] == "<mayfly-tick.Arn>"
    assert permission["FunctionName"] == "<mayfly-completion-handler.Arn>"


def test_what_ecs_says_of_our_cluster_reaches_the_events_queue(template: Template) -> None:
    cluster = "<mayfly-workers.Arn>"
    patterns = {}
    for rule in template.all("AWS::Events::Rule"):
        if "EventPattern" not in rule.properties:
            continue
        assert [target["Arn"] for target in rule["Targets"]] == ["<mayfly-events.Arn>"]
        assert rule["EventPattern"]["source"] == ["aws.ecs"]
        (detail_type,) = rule["EventPattern"]["detail-type"]
        patterns[detail_type] = rule["EventPattern"]["detail"]
    assert patterns == {
        "ECS Task State Change": {"clusterArn": [cluster], "lastStatus": ["RUNNING", "STOPPED"]},
        "ECS Service Action": {"clusterArn": [cluster], "eventType": ["WARN", "ERROR"]},
    }


def test_only_our_rules_may_write_to_the_events_queue(template: Template) -> None:
    policy = next(
        p for p in template.all("AWS::SQS::QueuePolicy") if p["Queues"] == ["<mayfly-events>"]
    )
    (allowed,) = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Allow"]
    assert allowed["Principal"] == {"Service": "events.amazonaws.com"}
    assert allowed["Action"] == "sqs:SendMessage"
    assert allowed["Condition"] == {
        "ArnEquals": {"aws:SourceArn": ["<mayfly-ecs-tasks.Arn>", "<mayfly-ecs-services.Arn>"]},
        "StringEquals": {"aws:SourceAccount": "123456789012"},
    }
