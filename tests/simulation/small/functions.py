"""What invocations of the functions may do next: take a message, make a step, die. At most so many
run at once; where a step is a whole invocation, one.

Nothing here looks at workers, and little at the jobs queue: what is done to that is said by `ops`.
"""

from collections.abc import Iterator
from typing import NamedTuple

from tests.simulation.small.invocations import Invocations, NeedsQueue, Step
from tests.simulation.small.numbers import Groups
from tests.simulation.small.post import Boxes, Op, Words
from tests.simulation.small.programs import REQUEST
from tests.simulation.small.states import Move, State


class Invoked(NamedTuple):
    """An invocation under way."""

    stack: int
    #: Its message; -1 for a tick.
    body: int
    serial: int
    #: Messages of the jobs queue that it holds.
    holds: tuple[Op, ...] = ()


class Functions:
    """All invocations."""

    def __init__(self, invocations: Invocations, words: Words, mail: Boxes, at_once: int) -> None:
        self._invocations, self._words = invocations, words
        self._mail, self._at_once = mail, at_once
        self.groups = Groups[Invoked]()
        self._steps: dict[tuple[object, ...], tuple[Step, ...] | None] = {}

    def moves(self, state: State, busy: int) -> Iterator[Move]:
        """Of those under way, and of one more."""
        for invoked, rest in self.groups.each(state.invocations):
            yield from self._go(state._replace(invocations=rest), invoked, busy, "goes on: ")
        if self.groups.size(state.invocations) >= self._at_once:
            return
        spares = state.budget.spares > 0
        for letter in self._mail.boxes[state.mail]:
            if not (letter.spare or (letter.live and not letter.held)):
                continue
            taken = [Op("take", letter.body, letter.serial)]
            name = "request" if self._words.bodies[letter.body] == REQUEST else "report"
            if letter.live and not letter.held:
                held = state._replace(mail=self._mail.after(state.mail, taken, spares=spares))
                yield from self._begin(held, name, letter.body, letter.serial, busy)
            else:
                mail = self._mail.after(state.mail, taken, spares=False)
                held = state._replace(mail=mail, budget=state.budget.less(spares=1))
                for move in self._begin(held, name, letter.body, letter.serial, busy):
                    yield move._replace(is_progress=False, told=f"for a second time {move.told}")

    def tick(self, state: State, busy: int) -> Iterator[Move]:
        """One more begins."""
        if self.groups.size(state.invocations) < self._at_once:
            yield from self._begin(state, "tick", -1, -1, busy)

    def _begin(self, state: State, name: str, body: int, serial: int, busy: int) -> Iterator[Move]:
        said = self._words.bodies[body] if body >= 0 else None
        stack = self._invocations.begin(name, said, state.memory)
        return self._go(state, Invoked(stack, body, serial), busy, "begins: ")

    def _go(self, state: State, invoked: Invoked, busy: int, how: str) -> Iterator[Move]:
        """`state` is without it."""
        who = self._words.of(invoked.body) if invoked.body >= 0 else "the tick"
        for step in self._steps_of(state, invoked, busy):
            if step.fault and not state.budget.losses:
                continue
            after = state._replace(memory=step.memory)
            if step.fault:
                after = after._replace(budget=state.budget.less(losses=1))
            told = f"{who} {how}{step.told}"
            if step.stack >= 0:
                goes_on = invoked._replace(stack=step.stack, holds=step.holds)
                after = after._replace(invocations=self.groups.joined(state.invocations, goes_on))
                yield Move(after, not step.fault, told, step.ops)
                continue
            over = self._let_go(after, invoked, deleted=step.well)
            yield Move(over, not step.fault, told, step.ops)
            if step.well and not step.fault and state.budget.losses and invoked.body >= 0:
                unsaid = after._replace(budget=state.budget.less(losses=1))
                unsaid = self._let_go(unsaid, invoked, deleted=False)
                yield Move(unsaid, False, f"{told}, and its message is not deleted", step.ops)

    def _let_go(self, state: State, invoked: Invoked, *, deleted: bool) -> State:
        if invoked.body < 0:
            return state
        op = Op("delete" if deleted else "free", invoked.body, invoked.serial)
        return state._replace(
            mail=self._mail.after(state.mail, [op], spares=state.budget.spares > 0)
        )

    def _steps_of(self, state: State, invoked: Invoked, busy: int) -> tuple[Step, ...]:
        """Few ask the jobs queue; the others are the same whatever it holds."""
        key: tuple[object, ...] = (invoked.stack, invoked.holds, state.memory, busy)
        found, jobs = self._steps.get(key, ()), -1
        if found is None:
            key, jobs = (*key, state.jobs), state.jobs
            found = self._steps.get(key, ())
        if not found:
            steps = self._invocations.steps(invoked.stack, invoked.holds, state.memory, busy, jobs)
            try:
                found = self._steps[key] = tuple(steps)
            except NeedsQueue:
                self._steps[key] = None
                return self._steps_of(state, invoked, busy)
        return found
