"""One step of an invocation of a function, and every way in which it can go wrong.

How far a step reaches is the model's grain. `CALLS`: one port call, the finest there is. `COMMITS`:
reads in a row, or a commit with what follows it until the next look at the world (which nobody can
see before, or which only adds: a message sent, an object written); and a planner's look as a whole,
which its lease keeps to itself. `WHOLE`: the invocation, so that functions run one after another.

Within a step, whatever its grain, the invocation may die after each effect, and the answer to a
commit or a send may be lost, before or after it was done.
"""

import dataclasses
import enum
from collections.abc import Iterator
from typing import Any, NamedTuple

from mayfly.core import brake
from mayfly.core.commands import Command
from mayfly.perform.ports import Conflict, Depth, Gone, Message, Temporary
from tests.simulation.small.asking import POOL
from tests.simulation.small.calls import Answer, Call, Code, Node, Program
from tests.simulation.small.memory import Memories
from tests.simulation.small.post import Boxes, Op, Words

_READS = frozenset({"table.get", "table.rows", "table.index", "services.describe"})
_ASKS = frozenset({"jobs.depth", "jobs.receive"})
#: A failure is tried here: nothing counts crashes, so there is never a count to set back.
_BRAKE = brake.set_back(POOL)
_LOST = Answer("lost", error=Temporary("The answer was lost."))
_NONE = Answer("none")


class Grain(enum.IntEnum):
    """How far a step reaches."""

    WHOLE = 0
    COMMITS = 1
    CALLS = 2


class Step(NamedTuple):
    """One way in which it can go."""

    memory: int
    #: What is done to the jobs queue.
    ops: tuple[Op, ...]
    #: Of an invocation that goes on; -1 when it is over.
    stack: int
    #: Messages that it holds.
    holds: tuple[Op, ...]
    #: It is over, and its message is deleted.
    well: bool
    #: A fault was used up.
    fault: bool
    told: str


class NeedsQueue(Exception):
    """What comes next depends on the jobs queue."""


@dataclasses.dataclass(slots=True)
class _Run:
    """A step under way."""

    stack: tuple[Node, ...]
    memory: int
    busy: int
    jobs: int
    holds: tuple[Op, ...]
    ops: tuple[Op, ...] = ()
    told: tuple[str, ...] = ()
    #: "read" or "write": the one thing in this step that others can come before and after.
    turn: str = ""
    #: The length of the stack within which nobody comes between.
    alone: int = 0
    fault: bool = False


class Invocations:
    """All steps of all invocations."""

    def __init__(
        self, code: Code, memories: Memories, words: Words, jobs: Boxes, grain: Grain
    ) -> None:
        self._code, self._memories, self._words, self._jobs = code, memories, words, jobs
        self._grain = grain
        self._stacks: list[tuple[Node, ...]] = []
        self._numbers: dict[tuple[int, ...], int] = {}

    def begin(self, name: str, body: bytes | None, memory: int) -> int:
        """An invocation that has just got its message."""
        args = () if body is None else (body,)
        return self._kept((self._root(Program(name, args, 0.0), memory),))

    def steps(
        self, stack: int, holds: tuple[Op, ...], memory: int, busy: int, jobs: int
    ) -> Iterator[Step]:
        """Every way. Raises NeedsQueue if it asks the queue, and `jobs` is -1."""
        return self._goes(_Run(self._stacks[stack], memory, busy, jobs, holds))

    def _goes(self, run: _Run) -> Iterator[Step]:
        while True:
            top = run.stack[-1]
            call = top.call
            if call is None:
                if self._returned(run):
                    continue
                yield self._over(run, well=top.error is None)
                return
            if self._is_seam(run, call):
                yield self._step(run, self._kept(run.stack), run.holds, well=False)
                return
            if call.op == "do":
                program: Program = call.args[0]
                if program.name == "see_to_pool" and self._grain is Grain.COMMITS:
                    run.alone = len(run.stack)
                run.stack = (*run.stack, self._root(program, run.memory))
                continue
            run.told += (_told(call),)
            if call.op in _READS:
                run.turn = run.turn or "read"
                answer = self._memories.read(run.memory, call.op, call.args, run.busy)
                self._goes_on(run, answer)
            elif call.op in _ASKS:
                run.turn = run.turn or "read"
                self._goes_on(run, self._asked(run, call))
            else:
                run.turn = "write"
                yield from self._effect(run, call)

    def _is_seam(self, run: _Run, call: Call) -> bool:
        """Whether others may come before this call."""
        if self._grain is Grain.WHOLE or not run.turn or run.alone:
            return False
        if call.op == "do":
            return self._grain is Grain.COMMITS and call.args[0].name == "see_to_pool"
        if self._grain is Grain.CALLS:
            return True
        if call.op in _READS or call.op in _ASKS:
            return run.turn == "write"
        return call.op == "table.commit" and call.args[0] != (_BRAKE,)

    def _effect(self, run: _Run, call: Call) -> Iterator[Step]:
        """Done, and what becomes of it when its answer is lost or the invocation dies after it."""
        can_be_lost = not run.fault and call.op in ("table.commit", "jobs.send")
        if can_be_lost:
            yield from self._unheard(run, "which is not done")
        try:
            before, run.memory = run.memory, self._did(run, call)
        except (Conflict, Gone) as refused:
            run.told = (*run.told[:-1], f"{run.told[-1]}: refused")
            kind = type(refused)
            self._goes_on(run, Answer(kind.__name__, error=kind(str(refused))))
            return
        if not run.fault and (run.memory != before or call.op.startswith("jobs")):
            died = dataclasses.replace(run, fault=True, told=(*run.told, "and dies after that"))
            yield self._over(died, well=False)
            if can_be_lost:
                yield from self._unheard(run, "whose answer is lost")
        self._goes_on(run, _NONE)

    def _did(self, run: _Run, call: Call) -> int:
        if not call.op.startswith("jobs."):
            return self._memories.write(run.memory, call.op, call.args)
        if call.op == "jobs.send":
            run.ops += (Op("send", self._words.number(call.args[0])),)
            return run.memory
        body, serial = map(int, call.args[0].split())
        run.ops += (Op("delete" if call.op == "jobs.delete" else "free", body, serial),)
        run.holds = tuple(op for op in run.holds if (op.body, op.serial) != (body, serial))
        return run.memory

    def _unheard(self, run: _Run, told: str) -> Iterator[Step]:
        lost = dataclasses.replace(run, fault=True, told=(*run.told, told))
        self._goes_on(lost, _LOST)
        return self._goes(lost)

    def _asked(self, run: _Run, call: Call) -> Answer:
        """A tick asks the jobs queue."""
        if run.jobs < 0:
            raise NeedsQueue
        box = self._jobs.boxes[self._jobs.after(run.jobs, run.ops, spares=False)]
        free = [c for c in box if c.live and not c.held]
        if call.op == "jobs.depth":
            held = sum(1 for c in box if c.live and c.held)
            depth = Depth(visible=len(free), in_flight=held, delayed=0)
            return Answer((len(free), held), depth)
        taken = tuple(Op("take", c.body, c.serial) for c in free)
        run.ops, run.holds = (*run.ops, *taken), (*run.holds, *taken)
        bodies = [self._words.bodies[c.body].decode() for c in free]
        messages = [
            Message(body=body, handle=f"{c.body} {c.serial}", message_id="m", receives=1)
            for c, body in zip(free, bodies, strict=True)
        ]
        return Answer(taken, messages)

    def _goes_on(self, run: _Run, answer: Answer) -> None:
        run.stack = (*run.stack[:-1], self._code.after(run.stack[-1], answer))

    def _returned(self, run: _Run) -> bool:
        """Whether the program that has ended was called by another, or leads to one."""
        top = run.stack[-1]
        if len(run.stack) > 1:
            run.stack = run.stack[:-1]
            self._goes_on(run, top.ended())
            if run.alone == len(run.stack):
                run.alone, run.turn = 0, "write"
            return True
        todo: tuple[Command, ...] | None = top.result
        if top.error is not None or not todo or top.program.name == "run":
            return False
        # As the handlers do: what follows is run when the message is taken.
        run.stack = (self._root(Program("run", (todo,), 0.0), run.memory),)
        return True

    def _over(self, run: _Run, *, well: bool) -> Step:
        """What it still holds comes back."""
        run.ops += tuple(op._replace(what="free") for op in run.holds)
        return self._step(run, -1, (), well=well)

    def _step(self, run: _Run, stack: int, holds: tuple[Op, ...], *, well: bool) -> Step:
        told = ", ".join(run.told) or "nothing to do"
        return Step(run.memory, run.ops, stack, holds, well, run.fault, told)

    def _root(self, program: Program, memory: int) -> Node:
        """The clock is looked at when it begins."""
        return self._code.root(program._replace(now=self._memories.now(memory)))

    def _kept(self, stack: tuple[Node, ...]) -> int:
        key = tuple(node.number for node in stack)
        number = self._numbers.setdefault(key, len(self._stacks))
        if number == len(self._stacks):
            self._stacks.append(stack)
        return number


def _told(call: Call) -> str:
    match call.op:
        case "table.get":
            return "reads " + ", ".join(_row_name(key.pk, key.sk) for key in call.args[0])
        case "table.commit":
            changed = ", ".join(_change_name(change) for change in call.args[0])
            return f"commits {changed}"
        case "table.index":
            return f"looks at {call.args[0]}"
        case "jobs.send":
            return "sends a task"
    shown = [a if isinstance(a, str | int) else "…" for a in call.args]
    return f"{call.op}({', '.join(map(str, shown))})"


def _row_name(pk: str, sk: str) -> str:
    return sk if pk.startswith("job#") else f"{pk}/{sk}"


def _change_name(change: Any) -> str:
    told = [f"{name}={value}" for name, value in getattr(change, "set", {}).items()]
    told += [f"{name}{value:+g}" for name, value in getattr(change, "add", {}).items()]
    kept = [word for word in told if word.split("=")[0].split("+")[0] in _SHOWN]
    kind = type(change).__name__.lower()
    shown = f" ({' '.join(kept)})" if kept else ""
    return f"{kind} {_row_name(change.key.pk, change.key.sk)}{shown}"


_SHOWN = frozenset({"state", "enqueued", "opened", "parts", "announced", "lease_owner"})
