"""The ECS agent's endpoints, as a container on Fargate sees them, on 127.0.0.1.

- `GET  $ECS_CONTAINER_METADATA_URI_V4[/task]`: what the container, and its task, are;
- `GET|PUT $ECS_AGENT_URI/task-protection/v1/state`: scale-in protection;
- `GET $AWS_CONTAINER_CREDENTIALS_FULL_URI`: credentials, so that none stands in an environment.

A task's paths hold a random id, as on Fargate: one task cannot guess another's. It answers from
what the agent knows and passes protection on to ECS; it decides nothing.
"""

import json
import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from botocore.exceptions import ClientError

from local import embedded

#: Container credentials on AWS last about so long.
_CREDENTIALS_HOURS = 6


@dataclass(slots=True, kw_only=True)
class TaskView:
    """A task as its container may see it."""

    record: dict[str, Any]
    definition: dict[str, Any]
    identity: str = field(default_factory=lambda: uuid.uuid4().hex)
    desired_status: str = "RUNNING"
    known_status: str = "PENDING"
    pull_started_at: float = 0.0
    started_at: float = 0.0
    #: As of the container's last word on it.
    protected: bool = False

    @property
    def container_name(self) -> str:
        """The first container's name."""
        name: str = self.definition["containerDefinitions"][0]["name"]
        return name

    def task_metadata(self) -> dict[str, Any]:
        """`/task` of the metadata endpoint, version 4."""
        group: str = self.record.get("group", "")
        return {
            "Cluster": self.record["clusterArn"],
            "TaskARN": self.record["taskArn"],
            "Family": self.definition["family"],
            "Revision": str(self.definition["revision"]),
            "ServiceName": group.removeprefix("service:") if group.startswith("service:") else "",
            "DesiredStatus": self.desired_status,
            "KnownStatus": self.known_status,
            "Limits": {
                "CPU": int(self.definition.get("cpu", 0)) / 1024,
                "Memory": int(self.definition.get("memory", 0)),
            },
            "PullStartedAt": _stamp(self.pull_started_at),
            "PullStoppedAt": _stamp(self.started_at or self.pull_started_at),
            "AvailabilityZone": self.record.get("availabilityZone", ""),
            "LaunchType": "FARGATE",
            "Containers": [self.container_metadata()],
        }

    def container_metadata(self) -> dict[str, Any]:
        """The metadata endpoint's root."""
        first = self.record["containers"][0]
        return {
            "DockerId": f"{self.identity}-{self.container_name}",
            "Name": self.container_name,
            "DockerName": self.container_name,
            "Image": self.definition["containerDefinitions"][0]["image"],
            "ContainerARN": first["containerArn"],
            "DesiredStatus": self.desired_status,
            "KnownStatus": self.known_status,
            "StartedAt": _stamp(self.started_at),
            "Type": "NORMAL",
            "Labels": {
                "com.amazonaws.ecs.cluster": self.record["clusterArn"],
                "com.amazonaws.ecs.task-arn": self.record["taskArn"],
                "com.amazonaws.ecs.container-name": self.container_name,
            },
        }


class AgentServer:
    """Serves the endpoints of every task on this machine."""

    def __init__(self, endpoint_url: str) -> None:
        self._ecs = embedded.client("ecs", endpoint_url)
        self._views: dict[str, TaskView] = {}
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self._thread = threading.Thread(
            target=self._http.serve_forever, name="mayfly-agent", daemon=True
        )

    def start(self) -> None:
        """Begins to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answers no more."""
        if self._thread.is_alive():
            self._http.shutdown()
            self._thread.join()
        self._http.server_close()

    def serve(self, view: TaskView) -> None:
        """A task's paths exist from now on."""
        self._views[view.identity] = view

    def forget(self, view: TaskView) -> None:
        """A task's paths exist no more."""
        self._views.pop(view.identity, None)

    def environment(self, view: TaskView) -> dict[str, str]:
        """The variables that tell a container its endpoints."""
        base = f"http://127.0.0.1:{self._http.server_address[1]}"
        return {
            "ECS_AGENT_URI": f"{base}/api/{view.identity}",
            "ECS_CONTAINER_METADATA_URI_V4": f"{base}/v4/{view.identity}",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{base}/v2/credentials/{view.identity}",
        }

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """The answer to one request of a container."""
        parts = path.strip("/").split("/")
        view = next((self._views[part] for part in parts if part in self._views), None)
        if view is not None:
            match method, path.replace(view.identity, "ID").rstrip("/"):
                case "GET", "/v2/credentials/ID":
                    return 200, _credentials()
                case "GET", "/v4/ID":
                    return 200, view.container_metadata()
                case "GET", "/v4/ID/task":
                    return 200, view.task_metadata()
                case "GET" | "PUT", "/api/ID/task-protection/v1/state":
                    return self._protection(view, body if method == "PUT" else None)
                case _:
                    pass
        return 404, {"error": {"Code": "ResourceNotFoundException", "Message": "No such path."}}

    def _protection(self, view: TaskView, body: bytes | None) -> tuple[int, dict[str, Any]]:
        arn = view.record["taskArn"]
        task = {"cluster": view.record["clusterArn"], "tasks": [arn]}
        try:
            if body is None:
                answer = self._ecs.get_task_protection(**task)
            else:
                wanted = json.loads(body)
                if not isinstance(wanted.get("ProtectionEnabled"), bool):
                    return 400, _refusal(arn, "The request lacks 'ProtectionEnabled'.")
                if wanted.get("ExpiresInMinutes") is not None:
                    task["expiresInMinutes"] = int(wanted["ExpiresInMinutes"])
                answer = self._ecs.update_task_protection(
                    protectionEnabled=wanted["ProtectionEnabled"], **task
                )
        except (ValueError, AttributeError):
            return 400, _refusal(arn, "Failed to decode request")
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            return status, _refusal(
                arn, error.response["Error"]["Message"], error.response["Error"]["Code"]
            )
        for failure in answer["failures"]:
            reason = {"Arn": arn, "Detail": None, "Reason": failure["reason"]}
            return 200, {"failure": reason}
        state = answer["protectedTasks"][0]
        expires = state.get("expirationDate")
        view.protected = state["protectionEnabled"]
        return 200, {
            "protection": {
                "ExpirationDate": _stamp(expires.timestamp()) if expires else None,
                "ProtectionEnabled": state["protectionEnabled"],
                "TaskArn": arn,
            }
        }

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            """One request."""

            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._reply("GET")

            def do_PUT(self) -> None:
                self._reply("PUT")

            def _reply(self, method: str) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, answer = server.answer(method, self.path, body)
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Paths hold the task's secret id, so requests are not logged."""

        return Handler


def _credentials() -> dict[str, Any]:
    ends = datetime.now(UTC) + timedelta(hours=_CREDENTIALS_HOURS)
    return {
        "AccessKeyId": embedded.ACCESS_KEY_ID,
        "SecretAccessKey": embedded.SECRET_ACCESS_KEY,
        "Token": "",
        "Expiration": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "RoleArn": "arn:aws:iam::000000000000:role/local-worker",
    }


def _refusal(arn: str, message: str, code: str = "InvalidParameterException") -> dict[str, Any]:
    return {
        "requestID": str(uuid.uuid4()),
        "error": {"Arn": arn, "Code": code, "Message": message},
    }


def _stamp(seconds: float) -> str:
    at = datetime.fromtimestamp(seconds, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
