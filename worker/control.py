"""Reads a task's control object: the only way back to a running worker.

Whatever is odd about it (missing, refused, unreadable) means "go on": a worker must never stop
because S3 had a bad moment.
"""

import dataclasses
from typing import Protocol

import urllib3

from mayfly.contract import wire
from mayfly.contract.task import Control
from worker import http
from worker.ends import Halted
from worker.grants import HeldGrants
from worker.halt import Halt
from worker.http import HostRule

_SILENCE_SECONDS_MAX = 5.0
#: Renewed grants are 10 KB.
_BYTES_MAX = 1 << 20


class ControlReader(Protocol):
    """What the heartbeat needs."""

    def read(self, grants: HeldGrants, halt: Halt) -> Control | None:
        """None: go on."""


@dataclasses.dataclass(frozen=True, slots=True)
class HttpControlReader:
    """Through the signed GET."""

    rule: HostRule

    def read(self, grants: HeldGrants, halt: Halt) -> Control | None:
        """None: go on."""
        if grants.control is None:
            return None
        try:
            with http.exchange(
                "GET",
                grants.control.url,
                rule=self.rule,
                halt=halt,
                headers=grants.control.headers,
                silence_seconds=_SILENCE_SECONDS_MAX,
            ) as response:
                if response.status != 200:
                    return None
                return wire.decode(Control, response.read(_BYTES_MAX))
        except (http.Broken, http.Refused, Halted, wire.Refusal, urllib3.exceptions.HTTPError):
            return None
