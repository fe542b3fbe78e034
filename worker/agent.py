"""The ECS agent beside the container: who we are, and protection from scale-in.

Without its variables (a plain run, on a terminal) there is nobody to be protected from. A refused
protection means "take no work": ECS refuses when the service shall shrink (DEPLOYMENT_BLOCKED).
It must never be asked more often than the edges between idle and busy need.
"""

import dataclasses
import json
import logging
from collections.abc import Mapping
from typing import Any, Protocol

import urllib3

from mayfly.core import limits
from worker.clock import WorkerClock

_LOG = logging.getLogger("mayfly.worker")
_TIMEOUT = urllib3.Timeout(connect=1.0, read=3.0)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The ECS task and service that this worker is."""

    worker: str = ""
    service: str = ""


class Agent(Protocol):
    """What the loop needs of ECS."""

    def identity(self) -> Identity:
        """Empty where nobody knows."""

    def set_protection(self, on: bool) -> bool:
        """Whether it was done."""


class NoAgent:
    """A plain run."""

    def identity(self) -> Identity:
        """Nobody."""
        return Identity()

    def set_protection(self, on: bool) -> bool:  # noqa: ARG002 - the port's shape
        """Nobody to be protected from."""
        return True


class EcsAgent:
    """The agent's endpoints. It speaks to the container's own link, never to the network."""

    def __init__(self, agent_uri: str, metadata_uri: str) -> None:
        self._protection = f"{agent_uri}/task-protection/v1/state"
        self._task = f"{metadata_uri}/task" if metadata_uri else ""
        self._http = urllib3.PoolManager(retries=False, timeout=_TIMEOUT)

    def identity(self) -> Identity:
        """From the task metadata, version 4."""
        seen = self._ask("GET", self._task) if self._task else {}
        return Identity(
            worker=str(seen.get("TaskARN") or ""), service=str(seen.get("ServiceName") or "")
        )

    def set_protection(self, on: bool) -> bool:
        """True only when the agent confirms it."""
        body: dict[str, Any] = {"ProtectionEnabled": on}
        if on:
            body["ExpiresInMinutes"] = limits.PROTECTION_MINUTES
        answer = self._ask("PUT", self._protection, body)
        state = answer.get("protection")
        return isinstance(state, dict) and state.get("ProtectionEnabled") is on

    def _ask(self, method: str, url: str, body: object = None) -> dict[str, Any]:
        try:
            answer = self._http.request(
                method,
                url,
                body=None if body is None else json.dumps(body).encode(),
                headers={"Content-Type": "application/json"},
                redirect=False,
            )
            seen = json.loads(answer.data)
        except (urllib3.exceptions.HTTPError, ValueError):
            return {}
        return seen if isinstance(seen, dict) else {}


def agent_from(env: Mapping[str, str]) -> Agent:
    """The agent that the environment names."""
    uri = env.get("ECS_AGENT_URI", "")
    if not uri:
        _LOG.info("There is no ECS agent, so this worker is not protected from scale-in.")
        return NoAgent()
    return EcsAgent(uri, env.get("ECS_CONTAINER_METADATA_URI_V4", ""))


class Protection:
    """Takes and gives back protection on the edges between idle and busy."""

    def __init__(self, agent: Agent, clock: WorkerClock) -> None:
        self._agent = agent
        self._clock = clock
        self._taken_at: float | None = None
        self._refused = False

    def take(self) -> bool:
        """Before work is asked for; False means that none may be.

        A refused renewal leaves the old protection standing (ECS lets it run to its end, half a
        day away), and a worker that takes no work must not be kept from leaving: it is given back.
        """
        now = self._clock.monotonic()
        if self._taken_at is not None and now - self._taken_at < limits.PROTECTION_RENEW_SECONDS:
            return True
        granted = self._agent.set_protection(True)
        if granted:
            self._taken_at = now
        elif not self._refused:
            _LOG.info("Protection was refused, so this worker takes no work.")
        self._refused = not granted
        if not granted:
            self.release()
        return granted

    def release(self) -> None:
        """When there is nothing to do. What fails is tried again at the next empty poll."""
        if self._taken_at is not None and self._agent.set_protection(False):
            self._taken_at = None
