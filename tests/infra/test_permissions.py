"""Claims about who may do what: allow-lists, complete, so that a power added by accident fails."""

import json

from tests.infra.synthesised import Template, strings_in

ACCOUNT = "eu-west-1:123456789012"
CLUSTER = "mayfly-workers"
OF_OUR_CLUSTER = f"ArnEquals ecs:cluster <{CLUSTER}.Arn>"
TABLE_ACTIONS = (
    "dynamodb:BatchGetItem",
    "dynamodb:ConditionCheckItem",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
)
CONSUME = (
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
)


def bucket_of(template: Template) -> str:
    return f"<{template.one('AWS::S3::Bucket').name}.Arn>"


def function_role(template: Template, function: str) -> str:
    arn: str = template.one("AWS::Lambda::Function", function)["Role"]
    return arn.replace(".Arn>", ">")


def signer_arn(template: Template) -> str:
    function = template.one("AWS::Lambda::Function", "mayfly-dispatcher")
    arn: str = function["Environment"]["Variables"]["MAYFLY_SIGNER_ROLE_ARN"]
    return arn


def task_role(template: Template, pool: str) -> str:
    task = template.one("AWS::ECS::TaskDefinition", f"mayfly-{pool}")
    arn: str = task["TaskRoleArn"]
    return arn.replace(".Arn>", ">")


def powers_of_both(template: Template, function: str) -> set[tuple[str, str, str]]:
    """What dispatcher and completion handler have in common."""
    table, bucket = f"<{template.one('AWS::DynamoDB::Table').name}.Arn>", bucket_of(template)
    log = template.one("AWS::Lambda::Function", function)["LoggingConfig"]["LogGroup"]
    services = f"arn:aws:ecs:{ACCOUNT}:service/{CLUSTER}"
    tasks = template.all("AWS::ECS::TaskDefinition")
    roles = {task[key] for task in tasks for key in ("TaskRoleArn", "ExecutionRoleArn")}
    return {
        *((action, on, "") for action in TABLE_ACTIONS for on in (table, f"{table}/index/*")),
        ("logs:CreateLogStream", log.replace(">", ".Arn>"), ""),
        ("logs:PutLogEvents", log.replace(">", ".Arn>"), ""),
        ("sts:AssumeRole", signer_arn(template), ""),
        ("ecs:CreateService", f"{services}/mayfly-*", ""),
        ("ecs:UpdateService", f"{services}/mayfly-*", ""),
        ("ecs:DeleteService", f"{services}/mayfly-*", ""),
        ("ecs:TagResource", f"{services}/mayfly-*", ""),
        ("ecs:DescribeServices", f"{services}/*", OF_OUR_CLUSTER),
        ("ecs:ListServices", "*", OF_OUR_CLUSTER),
        *(
            ("iam:PassRole", role, "StringEquals iam:PassedToService ecs-tasks.amazonaws.com")
            for role in roles
        ),
        ("s3:GetObject", f"{bucket}/uploads/*", ""),
        ("s3:GetObjectVersion", f"{bucket}/uploads/*", ""),
        # The completion handler too: its hourly round takes uploads of which S3 did not tell.
        ("s3:GetObject", f"{bucket}/presets/*", ""),
        ("s3:GetObject", f"{bucket}/work/*", ""),
        ("s3:PutObject", f"{bucket}/work/*", ""),
        (
            "events:PutEvents",
            f"arn:aws:events:{ACCOUNT}:event-bus/default",
            "StringEquals events:source mayfly",
        ),
    }


def test_a_stolen_worker_has_its_two_queues_and_its_own_protection(any_template: Template) -> None:
    pools = [
        task.name.removeprefix("mayfly-") for task in any_template.all("AWS::ECS::TaskDefinition")
    ]
    for pool in pools:
        jobs = f"<mayfly-jobs-{pool}.Arn>"
        tasks = f"arn:aws:ecs:{ACCOUNT}:task/{CLUSTER}/*"
        assert any_template.powers(task_role(any_template, pool)) == {
            ("sqs:ReceiveMessage", jobs, ""),
            ("sqs:DeleteMessage", jobs, ""),
            ("sqs:ChangeMessageVisibility", jobs, ""),
            ("sqs:SendMessage", "<mayfly-done.Arn>", ""),
            ("ecs:GetTaskProtection", tasks, OF_OUR_CLUSTER),
            ("ecs:UpdateTaskProtection", tasks, OF_OUR_CLUSTER),
        }


def test_workers_of_two_pools_share_no_role(other_template: Template) -> None:
    roles = {task["TaskRoleArn"] for task in other_template.all("AWS::ECS::TaskDefinition")}
    assert len(roles) == 3


def test_only_ecs_of_this_account_may_take_the_workers_roles(any_template: Template) -> None:
    for task in any_template.all("AWS::ECS::TaskDefinition"):
        for key in ("TaskRoleArn", "ExecutionRoleArn"):
            (statement,) = any_template.role(task[key])["AssumeRolePolicyDocument"]["Statement"]
            assert statement["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
            assert statement["Condition"] == {
                "ArnLike": {"aws:SourceArn": f"arn:aws:ecs:{ACCOUNT}:*"},
                "StringEquals": {"aws:SourceAccount": "123456789012"},
            }


def test_an_image_from_elsewhere_needs_no_power(template: Template) -> None:
    task = template.one("AWS::ECS::TaskDefinition")
    (container,) = task["ContainerDefinitions"]
    group = container["LogConfiguration"]["Options"]["awslogs-group"].replace(">", ".Arn>")
    assert template.powers(task["ExecutionRoleArn"].replace(".Arn>", ">")) == {
        ("logs:CreateLogStream", group, ""),
        ("logs:PutLogEvents", group, ""),
    }


def test_an_image_in_ecr_is_the_only_one_that_can_be_pulled(other_template: Template) -> None:
    task = other_template.one("AWS::ECS::TaskDefinition", "mayfly-small")
    powers = other_template.powers(task["ExecutionRoleArn"].replace(".Arn>", ">"))
    repository = "arn:aws:ecr:eu-west-1:210987654321:repository/tools/worker"
    assert {power for power in powers if power[0].startswith("ecr:")} == {
        ("ecr:BatchCheckLayerAvailability", repository, ""),
        ("ecr:BatchGetImage", repository, ""),
        ("ecr:GetDownloadUrlForLayer", repository, ""),
        ("ecr:GetAuthorizationToken", "*", ""),
    }


def test_a_leaked_grant_can_read_sources_and_write_attempts_at_most(template: Template) -> None:
    bucket = bucket_of(template)
    assert template.powers(signer_arn(template).replace(".Arn>", ">")) == {
        ("s3:GetObject", f"{bucket}/uploads/*", ""),
        ("s3:GetObjectVersion", f"{bucket}/uploads/*", ""),
        ("s3:GetObject", f"{bucket}/assets/*", ""),
        ("s3:GetObject", f"{bucket}/work/*", ""),
        ("s3:GetObjectVersion", f"{bucket}/work/*", ""),
        ("s3:PutObject", f"{bucket}/work/*", ""),
        ("s3:ListBucket", bucket, "StringLikeIfExists s3:prefix work/*"),
    }


def test_only_the_two_functions_may_sign_and_for_an_hour(template: Template) -> None:
    signer = template.role(signer_arn(template))
    assert signer["MaxSessionDuration"] == 3600
    statements = signer["AssumeRolePolicyDocument"]["Statement"]
    assert {s["Action"] for s in statements} == {"sts:AssumeRole"}
    trusted = {arn for s in statements for arn in strings_in(s["Principal"])}
    assert trusted == {function["Role"] for function in template.all("AWS::Lambda::Function")}


def test_the_dispatcher_can_do_what_dispatching_needs(template: Template) -> None:
    bucket = bucket_of(template)
    role = function_role(template, "mayfly-dispatcher")
    assert template.powers(role) == powers_of_both(template, "mayfly-dispatcher") | {
        *((action, "<mayfly-requests.Arn>", "") for action in CONSUME),
        ("sqs:SendMessage", "<mayfly-jobs-standard.Arn>", ""),
        ("sqs:GetQueueAttributes", "<mayfly-jobs-standard.Arn>", ""),
        ("s3:ListBucket", bucket, "StringLikeIfExists s3:prefix uploads/* work/*"),
    }


def test_the_completion_handler_can_do_what_completing_needs(template: Template) -> None:
    bucket = bucket_of(template)
    role = function_role(template, "mayfly-completion-handler")
    consumed = ("done", "events", "requests-dead", "jobs-standard-dead")
    every_queue = [queue.name for queue in template.all("AWS::SQS::Queue")]
    assert template.powers(role) == powers_of_both(template, "mayfly-completion-handler") | {
        *((action, f"<mayfly-{q}.Arn>", "") for action in CONSUME for q in consumed),
        *(("sqs:GetQueueAttributes", f"<{queue}.Arn>", "") for queue in every_queue),
        *((action, "<mayfly-jobs-standard.Arn>", "") for action in CONSUME),
        ("sqs:SendMessage", "<mayfly-jobs-standard.Arn>", ""),
        ("s3:ListBucket", bucket, "StringLikeIfExists s3:prefix uploads/* outputs/*"),
        ("s3:GetObject", f"{bucket}/outputs/*", ""),
        ("s3:PutObject", f"{bucket}/outputs/*", ""),
        ("s3:AbortMultipartUpload", f"{bucket}/outputs/*", ""),
    }


def test_there_is_no_role_but_these(template: Template) -> None:
    known = {
        function_role(template, "mayfly-dispatcher"),
        function_role(template, "mayfly-completion-handler"),
        signer_arn(template).replace(".Arn>", ">"),
        task_role(template, "standard"),
        template.one("AWS::ECS::TaskDefinition")["ExecutionRoleArn"].replace(".Arn>", ">"),
    }
    assert {f"<{role.name}>" for role in template.all("AWS::IAM::Role")} == known


def test_no_action_is_a_wildcard(any_template: Template) -> None:
    for role in any_template.all("AWS::IAM::Role"):
        actions = {action for action, _, _ in any_template.powers(f"<{role.name}>")}
        assert not [action for action in actions if "*" in action]


def test_no_role_has_a_name_of_its_own(any_template: Template) -> None:
    """Then CAPABILITY_IAM is enough, and a second stack in the account meets no first."""
    assert not [r for r in any_template.all("AWS::IAM::Role") if "RoleName" in r.properties]
    assert "arn:aws:iam::aws:policy" not in json.dumps(any_template.body)
