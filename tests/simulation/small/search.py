"""Every state that can be reached, the nearest first; so what breaks a law has a shortest trace."""

import dataclasses
import time
from collections.abc import Iterator

from tests.simulation.small.laws import Laws
from tests.simulation.small.memory import Unlawful
from tests.simulation.small.model import Model
from tests.simulation.small.states import State

#: No part of a state has as many values.
_BITS = 24

Reached = tuple[int, State]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a search saw so far."""

    states: int
    transitions: int
    #: Moves to the farthest.
    depth: int
    #: States in which all is done.
    ends: int
    cpu_seconds: float
    #: Nothing is left to look at.
    complete: bool = False
    violation: str = ""
    #: What led there.
    trace: tuple[str, ...] = ()


class Search:
    """One model, all of it."""

    def __init__(self, model: Model) -> None:
        self._model, self._laws = model, Laws(model)
        #: Every state, and the one from which it was first reached.
        self._from: dict[int, int] = {}
        self._transitions = self._depth = self._ends = 0
        self._began = time.process_time()

    def run(self) -> Iterator[Result]:
        """What was seen after each level; the last is the answer."""
        with self._model.programs.bordered():
            begin = self._model.begin()
            # With its key: that of the dictionary, since one of its own would take as much again.
            level = [(self._key(begin), begin)]
            self._from[level[0][0]] = -1
            while level:
                following: list[Reached] = []
                for key, state in level:
                    if wrong := self._look(key, state, following):
                        with_trace = self._trace(key)
                        yield dataclasses.replace(self._so_far(), violation=wrong, trace=with_trace)
                        return
                level = following
                self._depth += bool(level)
                yield dataclasses.replace(self._so_far(), complete=not level)

    def memories(self) -> set[int]:
        """What was stored in some state."""
        return {key >> 5 * _BITS for key in self._from}

    def _look(self, key: int, state: State, following: list[Reached]) -> str:
        """Adds what was not seen before. Answers with a law that does not hold here."""
        goes_on, reached = False, self._from
        if wrong := self._laws.broken(state):
            return wrong
        try:
            for move in self._model.moves(state):
                self._transitions += 1
                after = self._key(move.after)
                goes_on = goes_on or (move.is_progress and after != key)
                if after not in reached:
                    reached[after] = key
                    following.append((after, move.after))
        except Unlawful as unlawful:
            return str(unlawful)
        if wrong := self._laws.surprise():
            return wrong
        if goes_on:
            return ""
        pending = self._laws.pending(state)
        if not pending:
            self._ends += 1
            return ""
        healed = False
        for move in self._model.heal(state):
            healed = True
            self._transitions += 1
            after = self._key(move.after)
            if after not in reached:
                reached[after] = key
                following.append((after, move.after))
        return "" if healed else f"Nothing more happens, and {pending}."

    def _key(self, state: State) -> int:
        memory, jobs, mail, workers, invocations, budget = state
        return (
            ((((memory << _BITS | jobs) << _BITS | mail) << _BITS | workers) << _BITS | invocations)
            << _BITS
        ) | budget

    def _trace(self, key: int) -> tuple[str, ...]:
        """The moves that led there, found again: only keys are remembered."""
        keys = [key]
        while (key := self._from[key]) >= 0:
            keys.append(key)
        told, state = [], self._model.begin()
        for wanted in reversed(keys[:-1]):
            moves = [*self._model.moves(state), *self._model.heal(state)]
            move = next(move for move in moves if self._key(move.after) == wanted)
            told.append(move.told)
            state = move.after
        return tuple(told)

    def _so_far(self) -> Result:
        return Result(
            states=len(self._from),
            transitions=self._transitions,
            depth=self._depth,
            ends=self._ends,
            cpu_seconds=time.process_time() - self._began,
        )
