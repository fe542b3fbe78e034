"""Claims about the dashboard and the alarms."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.infra.synthesised import Template

#: Where the functions gather figures.
SOURCES = ("mayfly/perform", "dispatcher", "completion_handler")

Figure = tuple[str, frozenset[str]]


@pytest.fixture
def dashboard(template: Template) -> list[dict[str, Any]]:
    body = template.one("AWS::CloudWatch::Dashboard")["DashboardBody"]
    widgets: list[dict[str, Any]] = json.loads(body)["widgets"]
    return widgets


def lines_of(widgets: list[dict[str, Any]]) -> Iterator[list[Any]]:
    for widget in widgets:
        yield from widget["properties"].get("metrics", [])


def test_the_dashboard_is_read_from_the_top(dashboard: list[dict[str, Any]]) -> None:
    texts = sorted(
        (widget["y"], widget["properties"]["markdown"].splitlines()[0])
        for widget in dashboard
        if widget["type"] == "text"
    )
    assert [text for _, text in texts] == [
        "## Is anything stuck?",
        "## What is running?",
        "## What failed?",
        "## What does it cost?",
    ]


def test_no_widget_hides_another(dashboard: list[dict[str, Any]]) -> None:
    taken: set[tuple[int, int]] = set()
    for widget in dashboard:
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not taken & cells
        assert max(x for x, _ in cells) < 24
        taken |= cells


@pytest.mark.parametrize(
    "metric", ["ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"]
)
def test_every_queue_shows_its_depth_and_its_age(
    template: Template, dashboard: list[dict[str, Any]], metric: str
) -> None:
    shown = {line[3] for line in lines_of(dashboard) if line[:2] == ["AWS/SQS", metric]}
    assert shown == {f"<{queue.name}.QueueName>" for queue in template.all("AWS::SQS::Queue")}


def test_the_dashboard_shows_what_operators_ask_for(dashboard: list[dict[str, Any]]) -> None:
    text = json.dumps(dashboard)
    for metric in (
        "WorkersRunning",
        "JobsByState",
        "TimeToOutcomeSeconds",
        "SpotInterruptions",
        "JobsFailed",
    ):
        assert metric in text


def shown(template: Template, widgets: list[dict[str, Any]]) -> set[Figure]:
    """Our metrics that the dashboard and the alarms read, with their dimensions."""
    found: set[Figure] = set()
    for line in lines_of(widgets):
        if line[0] == "Mayfly":
            names = [word for word in line[2:] if isinstance(word, str)][::2]
            found.add((line[1], frozenset(names)))
        elif isinstance(line[0], dict) and "SEARCH" in line[0]["expression"]:
            pattern = r"\{Mayfly,([\w,]+)\} MetricName=\"(\w+)\""
            dimensions, name = re.findall(pattern, line[0]["expression"])[0]
            found.add((name, frozenset(dimensions.split(","))))
    for alarm in template.all("AWS::CloudWatch::Alarm"):
        if alarm["Namespace"] == "Mayfly":
            names = [dimension["Name"] for dimension in alarm["Dimensions"]]
            found.add((alarm["MetricName"], frozenset(names)))
    return found


def published() -> list[Figure]:
    """What the code gathers, as patterns: `tally.add("Name", …, dimension=…)`."""
    found: list[Figure] = []
    files = [path for source in SOURCES for path in Path(source).glob("*.py")]
    calls = [
        node
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("tally.add")
    ]
    for call in calls:
        dimensions = {k.arg for k in call.keywords if k.arg and k.arg not in ("value", "unit")}
        found.append((_pattern(call.args[0]), frozenset(dimensions | {"stack"})))
    return found


def _pattern(name: ast.expr) -> str:
    if isinstance(name, ast.JoinedStr):
        return "".join(str(p.value) if isinstance(p, ast.Constant) else r"\w+" for p in name.values)
    assert isinstance(name, ast.Constant)
    return str(name.value)


def test_every_figure_shown_is_published_with_these_dimensions(
    template: Template, dashboard: list[dict[str, Any]]
) -> None:
    known = published()
    wanted = shown(template, dashboard)
    assert len(wanted) >= 10
    for name, dimensions in sorted(wanted, key=str):
        assert any(
            re.fullmatch(pattern, name) and dimensions == with_dimensions
            for pattern, with_dimensions in known
        ), f"nothing publishes {name} with {sorted(dimensions)}"


def test_every_alarm_says_what_it_means_and_stays_silent_without_data(
    any_template: Template,
) -> None:
    for alarm in any_template.all("AWS::CloudWatch::Alarm"):
        assert len(alarm["AlarmDescription"]) > 80
        assert alarm["TreatMissingData"] == "notBreaching"
        # The embedded AWS knows no metric math.
        assert alarm["MetricName"]
        assert "Metrics" not in alarm.properties


def test_every_dead_letter_queue_has_an_alarm(any_template: Template) -> None:
    watched = {
        alarm["Dimensions"][0]["Value"]
        for alarm in any_template.all("AWS::CloudWatch::Alarm")
        if alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
    }
    dead = {q.name for q in any_template.all("AWS::SQS::Queue") if q.name.endswith("-dead")}
    assert watched == {f"<{name}.QueueName>" for name in dead}


def test_there_is_an_alarm_for_waiting_errors_idle_workers_and_the_brake(
    template: Template,
) -> None:
    names = {alarm["AlarmName"] for alarm in template.all("AWS::CloudWatch::Alarm")}
    assert {
        "mayfly-requests-wait",
        "mayfly-reports-wait",
        "mayfly-dispatcher-errors",
        "mayfly-completion-handler-errors",
        "mayfly-idle-workers-standard",
        "mayfly-brake-standard",
    } <= names


def test_alarms_speak_to_the_topic_that_was_named(
    template: Template, other_template: Template
) -> None:
    topic = ["arn:aws:sns:eu-west-1:123456789012:ops"]
    for alarm in other_template.all("AWS::CloudWatch::Alarm"):
        assert alarm["AlarmActions"] == alarm["OKActions"] == topic
    for alarm in template.all("AWS::CloudWatch::Alarm"):
        assert "AlarmActions" not in alarm.properties
