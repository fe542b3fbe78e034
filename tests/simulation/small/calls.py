"""Real code as a tree of its port calls, so that it can be stopped before any of them, and gone on
with from there as often as there are answers.

A `Program` is a function of the code under test with its arguments. It is run again from its
beginning with the answers that it has had so far; the first question without an answer ends the
run. So a `Node` stands for a place in the code and whatever its local variables hold, exactly, and
two ways to the same place with the same answers are one. What a program calls through a border
(`engine.apply`, one command) is a program of its own, so a place forgets how its callees got to
their answers.

This module must know nothing of what the ports mean.
"""

import dataclasses
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

from mayfly.perform.ports import Conflict, Gone, HandleLost, Temporary

#: What code may raise without being wrong.
EXPECTED = (Temporary, Conflict, Gone, HandleLost)


class Suspended(BaseException):
    """The run has come to a question without an answer. Not an Exception: nobody may catch it."""


class Program(NamedTuple):
    """One function of the code under test, and its arguments."""

    name: str
    args: tuple[Any, ...]
    #: What the clock says while it runs.
    now: float


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """What the code asks of a port."""

    op: str
    args: tuple[Any, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What it gets, or what is raised."""

    #: Equal for equal answers.
    name: Hashable
    value: Any = None
    error: Exception | None = None


class Node:
    """A place in a program."""

    __slots__ = ("answers", "call", "children", "error", "number", "program", "result")

    def __init__(self, number: int, program: Program, answers: tuple[Answer, ...]) -> None:
        self.number = number
        self.program = program
        self.answers = answers
        self.children: dict[Hashable, Node] = {}
        #: What it waits for; None at its end.
        self.call: Call | None = None
        self.result: Any = None
        self.error: Exception | None = None

    @property
    def asks(self) -> Call:
        """The call of a place that is no end."""
        assert self.call is not None
        return self.call

    def ended(self) -> Answer:
        """What a program that is over says to its caller."""
        if self.error is not None:
            return Answer(("raised", type(self.error).__name__, str(self.error)), error=self.error)
        return Answer(("returned", self.result), self.result)


class Code:
    """All programs, and every place in them that was ever reached."""

    def __init__(self) -> None:
        #: By name: what runs a program.
        self.functions: dict[str, Callable[..., Any]] = {}
        self.nodes: list[Node] = []
        self.surprises: list[str] = []
        self._roots: dict[Program, Node] = {}
        self._answers: tuple[Answer, ...] = ()
        self._position = 0
        self._open: Call | None = None
        self.now = 0.0

    def root(self, program: Program) -> Node:
        """Where a program begins."""
        found = self._roots.get(program)
        if found is None:
            found = self._roots[program] = self._grow(program, ())
        return found

    def after(self, node: Node, answer: Answer) -> Node:
        """Where it goes on with an answer."""
        found = node.children.get(answer.name)
        if found is None:
            found = self._grow(node.program, (*node.answers, answer))
            node.children[answer.name] = found
        return found

    def ask(self, op: str, *args: Any) -> Any:
        """Called by ports."""
        if self._position < len(self._answers):
            answer = self._answers[self._position]
            self._position += 1
            if answer.error is not None:
                raise answer.error.with_traceback(None)
            return answer.value
        if self._open is None:
            self._open = Call(op, args)
        raise Suspended

    def _grow(self, program: Program, answers: tuple[Answer, ...]) -> Node:
        node = Node(len(self.nodes), program, answers)
        self._answers, self._position, self._open = answers, 0, None
        self.now = program.now
        try:
            node.result = self.functions[program.name](*program.args)
        except Suspended:
            node.call = self._open
        except Exception as error:  # noqa: BLE001 - its caller's to judge
            node.error = error.with_traceback(None)
            if not isinstance(error, EXPECTED):
                self.surprises.append(f"{program.name} raised {type(error).__name__}: {error}")
        self.nodes.append(node)
        return node
