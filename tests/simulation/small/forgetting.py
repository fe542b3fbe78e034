"""What a state need not know, since nothing that is still to come depends on it. States that differ
only in that are one.

- Letters that can change nothing any more (`_is_spent`): the reports of a task that is done, and
  of a job that needs no more of them.
- Which attempt said what, as soon as nobody can ask: a name is asked for only by `interrupted`, and
  by the list of attempts that ended with it. `encoded` says a name for the sake of its key alone,
  which the winner's row has no use for.
- When functions run one after another: the versions of rows, which only those compare who hold an
  older one. And when no tick is left but those that heal, which come beyond every window: how long
  ago all things were written.

A letter is forgotten only when its delivery, there and then, does change nothing: the rule says
that this stays so, and the code must say so, too.
"""

from collections.abc import Callable

from tests.simulation.small.calls import Code, Program
from tests.simulation.small.erasing import NOBODY, Name
from tests.simulation.small.memory import Memories
from tests.simulation.small.numbers import Groups, Remembered
from tests.simulation.small.post import Boxes, Letter, Words
from tests.simulation.small.states import Budget, State, Working


class Forgetting:
    """States with what matters, and nothing else."""

    def __init__(
        self,
        code: Code,
        memories: Memories,
        words: Words,
        mail: Boxes,
        workers: Groups[Working],
        changes: Callable[[int, int], bool],
        *,
        whole: bool,
    ) -> None:
        self._code, self._memories, self._words = code, memories, words
        self._mail, self._workers = mail, workers
        #: Whether the delivery of what a letter says would change a memory.
        self._changes = changes
        #: Functions run one after another.
        self._whole = whole
        self._changing: dict[tuple[int, int], bool] = {}
        self._after = Remembered[tuple[int, int, int, int], tuple[int, int, int]]()
        self._in_mail = Remembered[int, tuple[frozenset[Name], frozenset[Name]]]()
        self._at_work: dict[int, frozenset[Name]] = {}

    def after(self, memory: int, mail: int, workers: int, budget: Budget) -> tuple[int, int, int]:
        """Memory, mail and workers of a state, without what nobody can ask for."""
        key = (memory, mail, workers, budget)
        found = self._after.get(key)
        if found is None:
            found = self._after.keep(key, self._forget(memory, mail, workers, budget))
        return found

    def fresh(self, state: State, task: str) -> str:
        """A name for an attempt: the first that nobody knows. Who is dead and forgotten gives his
        name to the next."""
        if self._whole and not state.budget.kills:
            return NOBODY
        facts = self._memories.facts(state.memory)
        known = self._names(state.memory, state.mail, state.workers, state.budget)
        known |= facts.ended | facts.named
        return next(name for name in "123456789" if (task, name) not in known)

    def _forget(self, memory: int, mail: int, workers: int, budget: Budget) -> tuple[int, int, int]:
        if self._whole:
            memory = self._memories.settled(memory, ageless=not budget.ticks)
        matters = self._names(memory, mail, workers, budget)
        memory = self._memories.with_names(memory, matters)
        if self._whole:
            mail, workers = self._renamed(mail, workers, matters)
        unspent = self._without_spent(memory, mail, budget)
        # Names that only those letters knew are forgotten with them.
        if unspent != mail:
            return self._forget(memory, unspent, workers, budget)
        return memory, mail, workers

    def is_spent(self, letter: Letter, box: int, memory: int, budget: Budget) -> bool:
        """Whether it can change nothing any more, whatever comes."""
        said = self._words.said(letter.body)
        if letter.held or "type" not in said:
            return False
        facts = self._memories.facts(memory)
        state = facts.tasks.get(said["task_id"])
        if facts.job in ("publishing", "succeeded"):
            return True
        if state == "done" and said["type"] in ("started", "interrupted"):
            return True
        if not self._whole or budget.kills or budget.ticks or self._names_in(box)[1]:
            return False
        # From here on no task goes back.
        if said["type"] == "started":
            return state == "running"
        if budget.losses or facts.is_stuck:
            return False
        return state == "done" if said["type"] == "encoded" else facts.is_opened

    def _without_spent(self, memory: int, box: int, budget: Budget) -> int:
        def keep(letter: Letter) -> bool:
            if not self.is_spent(letter, box, memory, budget):
                return True
            key = (letter.body, memory)
            found = self._changing.get(key)
            if found is None:
                found = self._changing[key] = self._changes(*key)
            return found

        return self._mail.filtered(box, keep)

    def _names(self, memory: int, mail: int, workers: int, budget: Budget) -> frozenset[Name]:
        """Those that somebody may still ask for."""
        said, interrupted = self._names_in(mail)
        at_work = self._at_work.get(workers)
        if at_work is None:
            members = self._workers.listed(workers)
            at_work = self._at_work[workers] = frozenset(map(self._name_of, members))
        alive = said | at_work
        if self._whole and not budget.kills:
            alive &= interrupted | self._memories.facts(memory).ended
        return alive

    def _names_in(self, box: int) -> tuple[frozenset[Name], frozenset[Name]]:
        """Of all attempts that said something, and of those that were interrupted."""
        found = self._in_mail.get(box)
        if found is None:
            said = [self._words.said(letter.body) for letter in self._mail.boxes[box]]
            told = [(s["task_id"], s["attempt"], s["type"]) for s in said if "type" in s]
            names = (
                frozenset((task, name) for task, name, _ in told if name != NOBODY),
                frozenset((task, name) for task, name, kind in told if kind == "interrupted"),
            )
            found = self._in_mail.keep(box, names)
        return found

    def _name_of(self, working: Working) -> Name:
        return self._words.task(working.body), self._code.nodes[working.node].program.args[1]

    def _renamed(self, mail: int, workers: int, matters: frozenset[Name]) -> tuple[int, int]:
        """Whoever's name does not matter is nobody."""
        told = [self._letter_of_nobody(letter, matters) for letter in self._mail.boxes[mail]]
        mail = self._mail.of(told)
        working = self._workers.listed(workers)
        return mail, self._workers.of([self._working_of_nobody(w, matters) for w in working])

    def _letter_of_nobody(self, letter: Letter, matters: frozenset[Name]) -> Letter:
        said = self._words.said(letter.body)
        if "type" not in said or said["attempt"] == NOBODY:
            return letter
        if said["type"] != "encoded" and (said["task_id"], said["attempt"]) in matters:
            return letter
        body = self._words.bodies[letter.body]
        for mark in ('"attempt":"{}"', "/{}/"):
            body = body.replace(mark.format(said["attempt"]).encode(), mark.format(NOBODY).encode())
        return letter._replace(body=self._words.number(body))

    def _working_of_nobody(self, working: Working, matters: frozenset[Name]) -> Working:
        node = self._code.nodes[working.node]
        body, name = node.program.args
        if name == NOBODY or self._name_of(working) in matters:
            return working
        same = self._code.root(Program("worker", (body, NOBODY), node.program.now))
        for answer in node.answers:
            same = self._code.after(same, answer)
        return working._replace(node=same.number)
