"""What workers may do next: receive, work, say, delete, leave when told to, be killed.

A worker says at once what it has to say up to the next moment at which it looks at the world, and
deletes its message with its last word: the mail keeps words for as long as it likes, so to say a
word later is to have it delivered later. Where it stands between two words matters only to a kill,
and that is tried at each of them.

What is said is in `ops`: nothing here looks at the mail.
"""

from collections.abc import Callable, Iterable, Iterator

from mayfly.perform.ports import Temporary
from tests.simulation.small.calls import Answer, Code, Node, Program
from tests.simulation.small.memory import Memories
from tests.simulation.small.numbers import Groups, Remembered
from tests.simulation.small.post import Boxes, Letter, Op, Words
from tests.simulation.small.states import Move, State, Working
from worker.ends import Reason

_LOST = Answer("lost", error=Temporary("The answer was lost."))
_NONE = Answer("none")


class Workers:
    """All of them."""

    def __init__(
        self,
        code: Code,
        memories: Memories,
        words: Words,
        jobs: Boxes,
        fresh: Callable[[State, str], str],
        at_once: int,
    ) -> None:
        self._code, self._memories, self._words, self._jobs = code, memories, words, jobs
        self._fresh, self._at_once = fresh, at_once
        self.groups = Groups[Working]()
        self._moves = Remembered[tuple[State, int], tuple[Move, ...]]()

    def moves(self, state: State, wanted: int) -> Iterable[Move]:
        """Of those at work, and of one that is idle, if there is one."""
        if state.budget.kills:
            # Names matter, and are chosen with a look at the mail: no two states are alike in this.
            return self._all(state, wanted)
        key = (state._replace(mail=-1), wanted)
        found = self._moves.get(key)
        return found or self._moves.keep(key, tuple(self._all(state, wanted)))

    def _all(self, state: State, wanted: int) -> Iterator[Move]:
        for working, rest in self.groups.each(state.workers):
            yield from self._works(state._replace(workers=rest), working)
        if self.groups.size(state.workers) >= min(self._at_once, wanted):
            return
        for letter in self._jobs.boxes[state.jobs]:
            taken = [Op("take", letter.body, letter.serial)]
            if letter.live and not letter.held:
                jobs = self._jobs.after(state.jobs, taken, spares=state.budget.spares > 0)
                yield from self._receives(state._replace(jobs=jobs), letter)
            elif letter.spare:
                jobs = self._jobs.after(state.jobs, taken, spares=False)
                again = state._replace(jobs=jobs, budget=state.budget.less(spares=1))
                for move in self._receives(again, letter):
                    yield move._replace(is_progress=False, told=f"for a second time {move.told}")

    def _receives(self, state: State, letter: Letter) -> Iterator[Move]:
        nonce = self._fresh(state, self._words.task(letter.body))
        args = (self._words.bodies[letter.body], nonce)
        node = self._code.root(Program("worker", args, 0.0))
        working = Working(node.number, letter.body, letter.serial)
        told = f"worker {nonce} gets {self._words.of(letter.body)}"
        return self._on(working, node, Move(state, True, told))

    def _works(self, state: State, working: Working) -> Iterator[Move]:
        """`state` is without it."""
        node = self._code.nodes[working.node]
        told = f"worker {node.program.args[1]} at {self._words.of(working.body)}"
        so_far = Move(state, True, told)
        if state.budget.kills:
            yield self._killed(working, so_far)
        if node.asks.op == "worker.read":
            body = self._memories.object(state.memory, node.asks.args[0])
            node = self._code.after(node, Answer(body, body))
        if node.asks.op != "worker.work":
            yield from self._on(working, node, so_far)
            return
        yield from self._on(working, self._code.after(node, _NONE), so_far)
        job, task = node.asks.args[0].split("/")[1:3]
        if self._memories.is_over(state.memory, job, task):
            halted = self._code.after(node, Answer("ordered", Reason.ORDERED))
            stops = so_far._replace(told=f"{told} reads that it shall stop,")
            yield from self._on(working, halted, stops)
        if state.budget.kills:
            halted = self._code.after(node, Answer("signal", Reason.SIGNAL))
            stops = Move(_less(state, kills=1), False, f"{told} is told to go,")
            yield from self._on(working, halted, stops)

    def _on(self, working: Working, node: Node, so_far: Move) -> Iterator[Move]:
        """On to where it looks at the world, or has let go of its message."""
        state = so_far.after
        if node.call is None:  # it leaves its message to whoever has it
            yield self._left(working, so_far, "leaves its message", delete=False)
        elif node.call.op == "done.send":
            yield from self._says(working, node, so_far)
        elif node.call.op == "worker.delete":
            yield self._left(working, so_far, "deletes its message", delete=True)
            if state.budget.losses:
                kept = so_far._replace(after=_less(state, losses=1), is_progress=False)
                yield self._left(working, kept, "deletes its message, which stays", delete=False)
        elif node.call.op == "worker.hand_back":
            yield self._left(working, so_far, "hands back its message", delete=False)
        else:
            group = self.groups.joined(state.workers, working._replace(node=node.number))
            yield so_far._replace(after=state._replace(workers=group))

    def _says(self, working: Working, node: Node, so_far: Move) -> Iterator[Move]:
        """Heard or not."""
        state = so_far.after
        op = Op("send", self._words.number(node.asks.args[0]))
        told = f"{so_far.told} says {self._words.of(op.body)}"
        said = so_far._replace(ops=(*so_far.ops, op), told=told)
        yield from self._on(working, self._code.after(node, _NONE), said)
        if state.budget.kills:
            yield self._killed(working, said)
        if state.budget.losses:
            anew = self._code.after(node, _LOST)
            for heard, how in (said, "and hears no answer,"), (so_far, "which nobody hears,"):
                told = f"{said.told} {how}"
                unsure = heard._replace(after=_less(state, losses=1), is_progress=False, told=told)
                yield from self._on(working, anew, unsure)

    def _killed(self, working: Working, so_far: Move) -> Move:
        fewer = so_far._replace(after=_less(so_far.after, kills=1), is_progress=False)
        return self._left(working, fewer, "is killed", delete=False)

    def _left(self, working: Working, so_far: Move, told: str, *, delete: bool) -> Move:
        state = so_far.after
        op = Op("delete" if delete else "free", working.body, working.serial)
        jobs = self._jobs.after(state.jobs, [op], spares=state.budget.spares > 0)
        return so_far._replace(after=state._replace(jobs=jobs), told=f"{so_far.told} {told}")


def _less(state: State, *, kills: int = 0, losses: int = 0) -> State:
    return state._replace(budget=state.budget.less(kills=kills, losses=losses))
