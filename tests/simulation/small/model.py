"""The small model: where it begins, and whatever may happen next."""

import dataclasses
from collections.abc import Iterator

from mayfly.core import limits
from tests.simulation.small.forgetting import Forgetting
from tests.simulation.small.functions import Functions
from tests.simulation.small.invocations import Grain, Invocations
from tests.simulation.small.memory import Memories
from tests.simulation.small.post import Boxes, Op, Words
from tests.simulation.small.programs import REQUEST, Programs
from tests.simulation.small.states import Budget, Move, State
from tests.simulation.small.workers import Workers

#: Before a tick: none, long enough for a heal, and for a silence.
_PAUSES_SECONDS = (0.0, limits.HEAL_SECONDS + 15.0, limits.SILENCE_SECONDS + 60.0)
#: Long enough for a task to lag whose worker says nothing, and too short for a silence.
_LAG_SECONDS = limits.VISIBILITY_SECONDS + limits.HEARTBEAT_SECONDS + 15.0
#: Beyond every window there is.
_LONG_SECONDS = 4000.0
#: So many ticks heal whatever is left; more is a violation.
HEALS_MAX = 6


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """How large the model is."""

    budget: Budget
    workers: int = 2
    grain: Grain = Grain.WHOLE
    #: A tick may also come when a chunk lags, whose worker is well and has said nothing for long.
    lags: bool = False
    #: Off, to see what it hides.
    forgetting: bool = True


class Model:
    """All states, as far as anybody asks for them."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.programs = Programs()
        self.code = self.programs.code
        self.memories = Memories()
        self.words = Words()
        self.jobs = Boxes()
        self.mail = Boxes()
        shared = (self.code, self.memories, self.words, self.jobs)
        invocations = Invocations(*shared, config.grain)
        self._at_a_stroke = Invocations(*shared, Grain.WHOLE)
        at_once = 1 if config.grain is Grain.WHOLE else 2
        self.functions = Functions(invocations, self.words, self.mail, at_once)
        self.workers = Workers(*shared, self._fresh, config.workers)
        self.forgetting = Forgetting(
            self.code,
            self.memories,
            self.words,
            self.mail,
            self.workers.groups,
            self._changes,
            whole=config.forgetting and config.grain is Grain.WHOLE,
        )
        self._pauses = (*_PAUSES_SECONDS, _LAG_SECONDS) if config.lags else _PAUSES_SECONDS
        self._wanted: dict[int, int] = {}

    def _fresh(self, state: State, task: str) -> str:
        return self.forgetting.fresh(state, task)

    def _changes(self, body: int, memory: int) -> bool:
        """Whether a report, were it delivered now, would change anything."""
        stack = self._at_a_stroke.begin("report", self.words.bodies[body], memory)
        steps = self._at_a_stroke.steps(stack, (), memory, 0, -1)
        after = next(step for step in steps if not step.fault)
        if not after.well or after.ops:
            return True
        if self.config.grain is not Grain.WHOLE:
            return after.memory != memory
        was, now = (self.memories.settled(m, ageless=True) for m in (memory, after.memory))
        return was != now

    def begin(self) -> State:
        """Somebody has asked for a video."""
        budget = self.config.budget
        asked = Op("send", self.words.number(REQUEST))
        mail = self.mail.after(self.mail.of([]), [asked], spares=budget.spares > 0)
        nobody, nothing = self.workers.groups.empty, self.functions.groups.empty
        return State(self.memories.begin(), self.jobs.of([]), mail, nobody, nothing, budget)

    def moves(self, state: State) -> Iterator[Move]:
        """Whatever may happen next."""
        wanted = self._wanted.get(state.memory)
        if wanted is None:
            wanted = sum(self.memories.services(state.memory).values())
            self._wanted[state.memory] = wanted
        busy = self.workers.groups.size(state.workers)
        busy = busy if busy > wanted else 0
        for move in self.functions.moves(state, busy):
            yield self._of_function(state, move)
        for move in self.workers.moves(state, wanted):
            after = move.after
            mail = self.mail.after(state.mail, move.ops, spares=after.budget.spares > 0)
            yield self._moved(move, after.jobs, mail, after.workers)
        if state.budget.ticks:
            ticked = state._replace(budget=state.budget.less(ticks=1))
            for seconds in self._pauses:
                later = ticked._replace(memory=self.memories.later(state.memory, seconds))
                for move in self.functions.tick(later, busy):
                    told = f"{seconds:.0f} s pass; {move.told}"
                    yield self._of_function(state, move._replace(is_progress=False, told=told))

    def heal(self, state: State) -> Iterator[Move]:
        """Nothing happens by itself any more, and no more faults come: the tick heals."""
        if state.budget.heals >= HEALS_MAX:
            return
        later = state._replace(
            memory=self.memories.later(state.memory, _LONG_SECONDS),
            jobs=self.jobs.after(state.jobs, (), spares=False),
            mail=self.mail.after(state.mail, (), spares=False),
            budget=Budget(heals=state.budget.heals + 1),
        )
        for move in self.functions.tick(later, self.workers.groups.size(state.workers)):
            told = f"an hour passes; {move.told}"
            yield self._of_function(later, move._replace(told=told))

    def _of_function(self, state: State, move: Move) -> Move:
        after = move.after
        jobs = self.jobs.after(state.jobs, move.ops, spares=after.budget.spares > 0)
        return self._moved(move, jobs, after.mail, state.workers)

    def _moved(self, move: Move, jobs: int, mail: int, workers: int) -> Move:
        after = move.after
        memory = after.memory
        if self.config.forgetting:
            memory, mail, workers = self.forgetting.after(memory, mail, workers, after.budget)
        state = State(memory, jobs, mail, workers, after.invocations, after.budget)
        return Move(state, move.is_progress, move.told)
