"""The ways in which an attempt ends before its work is done.

Named by consequence: `WorkFailed` is reported as a failure, `Halted` is not one. Neither may ever
hold a URL: what they say goes into reports, tables and logs.
"""

import enum
from collections.abc import Sequence

from mayfly.core import limits


class WorkFailed(Exception):
    """The attempt failed, with a code of `mayfly.contract.failure`."""

    def __init__(self, code: str, detail: str = "") -> None:
        self.code = code
        self.detail = detail[: limits.DETAIL_CHARACTERS_MAX]
        super().__init__(f"{code}: {self.detail}" if self.detail else code)


class Doubted(WorkFailed):
    """The parts are not what they should be: these chunks, or, when there are none, nobody knows
    which."""

    def __init__(self, detail: str, chunks: Sequence[int] = ()) -> None:
        super().__init__("output_broken", detail)
        self.chunks = tuple(chunks)


class Reason(enum.StrEnum):
    """Why work was stopped from outside."""

    #: SIGTERM: Spot takes the machine, or ECS wants it back.
    SIGNAL = "signal"
    #: The control object said stop.
    ORDERED = "ordered"
    #: The message belongs to somebody else now.
    LOST = "lost"
    #: SQS lets nobody hold a message longer.
    HELD_TOO_LONG = "held_too_long"
    #: The signed URLs died, and no new ones came.
    GRANT_EXPIRED = "grant_expired"


class Halted(Exception):
    """The work was stopped from outside."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason
        super().__init__(reason.value)
