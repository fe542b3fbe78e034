"""What must hold in every state, and what must have come about when nothing more happens.

The laws look at what is stored and know nothing of the code that stored it. That a commit or a
delivered object never changes, and that nobody is told to stop who has something to do, is held
where these are written (`memory.Unlawful`).
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from mayfly.core.rows import ENDS
from mayfly.memory.rows import Row
from tests.simulation.small.asking import POOL
from tests.simulation.small.model import Model
from tests.simulation.small.programs import PLAN, made_of
from tests.simulation.small.states import State

Fields = Mapping[str, Any]

_WORKING = ("queued", "running", "finishing")
_PARTS = ("encode", "chunk-00001")


class Laws:
    """Of one model."""

    def __init__(self, model: Model) -> None:
        self._model, self._memories = model, model.memories
        self._lawful: set[int] = set()
        self._surprises = 0

    def broken(self, state: State) -> str:
        """A law that does not hold; empty when all do."""
        if state.memory in self._lawful:
            return ""
        found = next(self._wrongs(state.memory), "")
        self._lawful.add(state.memory)
        return found

    def surprise(self) -> str:
        """What some code raised that it should not, since the last time that somebody asked."""
        surprises = self._model.code.surprises
        news, self._surprises = surprises[self._surprises :], len(surprises)
        return news[0] if news else ""

    def pending(self, state: State) -> str:
        """Why not all is done; empty when it is."""
        return next(self._open_ends(state), "")

    def _wrongs(self, memory: int) -> Iterator[str]:
        head, tasks, pool = self._rows(memory)
        told = [msgspec.json.decode(body) for body in self._memories.told(memory)]
        if len(told) > 1:
            yield f"the outcome was told in {len(told)} ways"
        if told and (head is None or told[0]["state"] != head["state"]):
            yield f"{told[0]['state']} was told of a job that is {head and head['state']}"
        if head is None:
            return
        is_open = head["state"] in _WORKING
        if pool.get("open_jobs", 0) != is_open:
            yield f"the pool counts {pool.get('open_jobs', 0)} open jobs, and it is {is_open}"
        parts = [task for task in tasks.values() if task["task_id"] != "finish"]
        if head["opened"] != len(parts):
            yield f"{head['opened']} tasks were opened, and {len(parts)} have rows"
        unborn = head["parts"] - head["opened"]
        still = unborn + sum(1 for task in tasks.values() if task["state"] != "done")
        if head["open_tasks"] != still:
            yield f"{head['open_tasks']} tasks are counted as open, and {still} are"
        if "finish" in tasks and still > (tasks["finish"]["state"] != "done"):
            yield "parts are joined that are not done"
        for task in tasks.values():
            if wrong := _wrong_in(task, tasks):
                yield wrong
        if head["state"] in ("publishing", "succeeded") and still:
            yield f"the job is {head['state']}, and {still} tasks are open"
        delivered = self._memories.outputs(memory)
        if head["state"] == "succeeded" and len(delivered) != 1:
            yield f"the job succeeded, and {len(delivered)} outputs were delivered"

    def _rows(self, memory: int) -> tuple[Fields | None, dict[str, Fields], Fields]:
        stored = self._memories.stored(memory)
        fields: list[Fields] = [held.fields for held in stored if isinstance(held, Row)]
        jobs = [row for row in fields if row["pk"].startswith("job#")]
        head = next((row for row in jobs if row["sk"] == "head"), None)
        tasks = {row["task_id"]: row for row in jobs if row["sk"].startswith("task#")}
        return head, tasks, self._memories.row(memory, f"pool#{POOL}", "head") or {}

    def _open_ends(self, state: State) -> Iterator[str]:
        head, tasks, pool = self._rows(state.memory)
        if head is None or head["state"] not in ENDS:
            yield f"the job is {head and head['state']}"
        if not self._memories.told(state.memory):
            yield "the outcome was not told"
        if head is not None and not head["announced"]:
            yield "the outcome would be told again and again"
        if self._memories.services(state.memory) or pool.get("services"):
            yield "services are left"
        if pool.get("open_jobs"):
            yield "the pool counts an open job"
        if any("gpk" in task for task in tasks.values()):
            yield "tasks are left in the index"
        if any(letter.live for letter in self._model.jobs.boxes[state.jobs]):
            yield "tasks are left on the queue"
        if any(letter.live for letter in self._model.mail.boxes[state.mail]):
            yield "reports are left that nobody can take"
        if head is not None and head["state"] != "succeeded":
            yield f"the job ended as {head['state']}: {head.get('failure')}"


def _wrong_in(task: Fields, tasks: Mapping[str, Fields]) -> str:
    """Each part covers its own interval; joined are both of them, in order."""
    name = task["task_id"]
    if task["state"] != "done":
        return ""
    of: object
    if name == "finish":
        of = [("chunk", n, _sum_of(tasks[part])) for n, part in enumerate(_PARTS)]
    else:
        of = PLAN.scope(_PARTS.index(name))
    return "" if _sum_of(task) == made_of(name, of) else f"{name} is made of something else"


def _sum_of(task: Fields) -> str:
    return str(task["artifacts"][0]["sha256"])
