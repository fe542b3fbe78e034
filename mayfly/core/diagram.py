"""Draws the transition table for readers: `docs/state-machine.md` is this module's output.

A test compares the two, so the page cannot be older than the table. Write it anew with
`python -m mayfly.core.diagram docs/state-machine.md`.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

from mayfly.core import events, machine
from mayfly.core.rows import JobState, TaskState

_OPENING = """\
# The state machine

This page is generated from the table in `mayfly/core/machine.py`; a test fails when it is older.

## Jobs

```mermaid
stateDiagram-v2
    [*] --> queued: RequestAccepted
    [*] --> running: TaskAdopted
    [*] --> failed: RequestRefused
    queued --> running: TaskStarted
    queued --> publishing: TasksCounted (none open)
    running --> publishing: TasksCounted (none open)
    running --> finishing: TasksCounted (none open, it was cut into parts)
    finishing --> publishing: TasksCounted (none open)
    running --> succeeded: TasksCounted (an adopted task)
    publishing --> succeeded: OutputsPublished
    publishing --> failed: PublishFailed
    queued --> cancelled: CancelRequested
    running --> cancelled: CancelRequested
    running --> superseded: TaskRefused (source replaced)
    running --> failed: TaskRefused, TaskDeadLettered, PoolBroke
    queued --> failed: TaskDeadLettered, PoolBroke
    finishing --> cancelled: CancelRequested
    finishing --> failed: TaskRefused, TaskDeadLettered, PoolBroke
```

An ended job stays ended. `RerunRequested`, or a request for a superseded job whose source was put
back, opens another job, the next run, and the ended one points to it.

## Tasks

```mermaid
stateDiagram-v2
    [*] --> open: RequestAccepted, TokensDrawn (parts), TasksCounted (the finish)
    open --> released: TaskReleased (chosen), TaskEnqueued (sent)
    released --> running: TaskStarted
    open --> running: TaskStarted (by a worker believed dead)
    running --> open: TaskInterrupted, TaskWentSilent, TaskEncoded (something else than the task)
    released --> open: TaskInterrupted, TaskDeadLettered (forgiven once)
    running --> released: TaskFailed (the message is back on the queue), TaskInterrupted (of two)
    running --> running: TaskLagged (a backup's message is sent)
    running --> done: TaskEncoded
    released --> done: TaskEncoded
    open --> done: TaskEncoded
```

"""


def page() -> str:
    """The whole page."""
    jobs = _table(
        "Every job state and event", [None, *JobState], sorted(get_args(events.JobEvent), key=_name)
    )
    tasks = _table(
        "Every task state and event", list(TaskState), sorted(get_args(events.TaskEvent), key=_name)
    )
    return _OPENING + jobs + "\n" + tasks


def _name(event: type) -> str:
    return event.__name__


def _table(title: str, states: Iterable[machine.State], kinds: Iterable[type]) -> str:
    lines = [f"## {title}", "", "| state | event | what happens |", "|---|---|---|"]
    listed = list(kinds)
    for state in states:
        label = state.value if state else "(no job)"
        lines += [f"| {label} | {kind.__name__} | {_told((state, kind))} |" for kind in listed]
    return "\n".join(lines) + "\n"


def _told(pair: machine.Pair) -> str:
    if reason := machine.IGNORED.get(pair):
        return f"ignored: {reason}"
    transition = machine.TRANSITIONS.get(pair)
    if transition is None:
        return "**illegal**"
    sentence = " ".join((transition.__doc__ or "").split("\n\n")[0].split())
    return f"`{transition.__name__}`: {sentence}"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
