"""The least of AWS that a worker needs to wait for work: empty queues and an ECS agent."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class StandIn(ThreadingHTTPServer):
    """Counts what it is asked; a long poll lasts as long as it was asked to."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.closing = threading.Event()
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def environment(self) -> dict[str, str]:
        """What ECS puts into a container's environment, and where its AWS is."""
        return {
            "AWS_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{self.url}/credentials",
            "ECS_AGENT_URI": self.url,
            "ECS_CONTAINER_METADATA_URI_V4": f"{self.url}/v4/container",
        }


class _Answers(BaseHTTPRequestHandler):
    server: StandIn
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self._body() or b"{}")
        action = self.headers.get("X-Amz-Target", self.path).rpartition(".")[2]
        self.server.asked.append(action)
        if action == "ReceiveMessage":
            self.server.closing.wait(float(body.get("WaitTimeSeconds", 0)))
        self._answer({"MessageId": "1", "MD5OfMessageBody": ""} if action == "SendMessage" else {})

    def do_PUT(self) -> None:
        wanted = json.loads(self._body())["ProtectionEnabled"]
        self.server.asked.append("PUT " + self.path)
        task = "arn:aws:ecs:eu-west-1:1:task/c/t"
        self._answer({"protection": {"ProtectionEnabled": wanted, "TaskArn": task}})

    def do_GET(self) -> None:
        if self.path == "/credentials":
            self._answer(
                {
                    "AccessKeyId": "AKIDEXAMPLE",
                    "SecretAccessKey": "not-a-secret",
                    "Token": "not-a-token",
                    "Expiration": "2999-01-01T00:00:00Z",
                }
            )
            return
        self._answer(
            {
                "TaskARN": "arn:aws:ecs:eu-west-1:1:task/c/t",
                "Cluster": "c",
                "Family": "mayfly",
                "Revision": "1",
                "Limits": {"CPU": 2, "Memory": 4096},
                "Containers": [{"Name": "worker", "Limits": {"CPU": 2048, "Memory": 4096}}],
            }
        )

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _answer(self, content: dict[str, Any]) -> None:
        data = json.dumps(content).encode()
        try:
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except OSError:
            pass  # the asker has left, as it may in the middle of a long poll

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@contextmanager
def standing_in() -> Iterator[StandIn]:
    """AWS, for as long as it is needed."""
    server = StandIn()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
