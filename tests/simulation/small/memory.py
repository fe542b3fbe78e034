"""Everything that is stored, as values: one `Memory` is the table, the bucket, what was announced,
the services and the time, and it never changes. Equal memories are one, by number.

What a change means is `mayfly.memory.rows.apply`, as for every table in memory. The index is what
the rows say, at once. Fields that no decision reads are not kept (`erasing.py`): two memories that
differ only in a story are one.
"""

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from mayfly.core import limits
from mayfly.core.changes import Change, Key, Update
from mayfly.core.rows import ENDS, ROUND_KEY
from mayfly.memory.rows import Row, apply
from mayfly.perform.ports import Conflict, Gone, Item, ServiceSeen
from tests.simulation.small.calls import Answer
from tests.simulation.small.erasing import (
    BEGAN_AT,
    Name,
    canonical,
    names_in,
    of_no_age,
    with_names,
)

#: So that no round over the uploads is ever due.
_NO_ROUND = BEGAN_AT + 1e9

#: What stands beside the table, by the first word of its name.
_TABLE, _OBJECT, _OUTPUT, _TOLD, _SERVICE, _TIME = "row", "object", "output", "told", "service", "t"

_ROUND = (_TABLE, ROUND_KEY.pk, ROUND_KEY.sk)

_encode = msgspec.json.Encoder(order="sorted").encode

#: The name of a cell, and the number of what is in it.
Cells = dict[tuple[str, ...], int]


class Facts(NamedTuple):
    """What letters depend on."""

    #: The states of the job and of its tasks.
    job: str
    tasks: dict[str, str]
    #: Every task of a plan has its row.
    is_opened: bool
    #: Something was to follow, and a crash came between.
    is_stuck: bool
    #: A task has two messages out.
    is_lagging: bool
    #: Attempts that rows know to have ended.
    ended: frozenset[Name]
    #: Those that rows name as the last.
    named: frozenset[Name]


class Unlawful(Exception):
    """What must never be stored."""


@dataclasses.dataclass(frozen=True, slots=True)
class Memories:
    """Every memory that was ever reached, and what cells ever held."""

    cells: list[Cells] = dataclasses.field(default_factory=list)
    values: list[Any] = dataclasses.field(default_factory=list)
    _numbers: dict[Hashable, int] = dataclasses.field(default_factory=dict)
    _value_numbers: dict[Hashable, int] = dataclasses.field(default_factory=dict)
    _facts: dict[int, Facts] = dataclasses.field(default_factory=dict)
    _settled: dict[tuple[int, bool], int] = dataclasses.field(default_factory=dict)
    _named: dict[tuple[int, frozenset[Name]], int] = dataclasses.field(default_factory=dict)

    def begin(self) -> int:
        """Nothing was asked for yet."""
        key = {"pk": ROUND_KEY.pk, "sk": ROUND_KEY.sk}
        fields = {"began_at": _NO_ROUND, "since": _NO_ROUND, "cursor": "", "done_at": _NO_ROUND}
        row = self._row(Row({**fields, **key}, 1, None, ()))
        return self._kept({_ROUND: row, (_TIME,): self._value(0.0)})

    # --- what is read ------------------------------------------------------------------------

    def now(self, memory: int) -> float:
        """The time."""
        return BEGAN_AT + float(self.values[self.cells[memory][_TIME,]])

    def row(self, memory: int, pk: str, sk: str) -> Mapping[str, Any] | None:
        """One row, for those who only look."""
        found = self.cells[memory].get((_TABLE, pk, sk))
        return None if found is None else self.values[found].fields

    def rows_of(self, memory: int, pk: str, sk_prefix: str = "") -> list[Mapping[str, Any]]:
        """Rows of one partition, in order."""
        cells = self.cells[memory]
        names = sorted(n for n in cells if n[:2] == (_TABLE, pk) and n[2].startswith(sk_prefix))
        return [self.values[cells[name]].fields for name in names]

    def stored(self, memory: int) -> list[Any]:
        """All that is there."""
        return [self.values[value] for value in self.cells[memory].values()]

    def services(self, memory: int) -> dict[str, int]:
        """How many workers each service is asked for."""
        cells = self.cells[memory].items()
        return {name[1]: self.values[value] for name, value in cells if name[0] == _SERVICE}

    def object(self, memory: int, key: str) -> bytes | None:
        """Of the bucket."""
        found = self.cells[memory].get((_OBJECT, key))
        return None if found is None else self.values[found]

    def outputs(self, memory: int) -> dict[str, str]:
        """Clean names, and what was copied there."""
        cells = self.cells[memory].items()
        return {name[1]: self.values[value] for name, value in cells if name[0] == _OUTPUT}

    def told(self, memory: int) -> list[bytes]:
        """Outcomes that were announced, each once."""
        return [self.values[v] for name, v in self.cells[memory].items() if name[0] == _TOLD]

    def index(self, memory: int, gpk: str) -> list[Mapping[str, Any]]:
        """Rows of an index partition, in order."""
        rows = [self.values[v] for name, v in self.cells[memory].items() if name[0] == _TABLE]
        found = [row.fields for row in rows if row.index_key and row.index_key[0] == gpk]
        return sorted(found, key=lambda fields: (fields["gsk"], fields["pk"], fields["sk"]))

    def read(self, memory: int, op: str, args: tuple[Any, ...], busy: int) -> Answer:
        """The answer of a port that only looks."""
        match op:
            case "table.get":
                return self._got(memory, args[0])
            case "table.rows":
                return self._listed(self.rows_of(memory, *args))
            case "table.index":
                gpk, limit, after = args
                rows = [row for row in self.index(memory, gpk) if row["gsk"] > after]
                return self._listed(rows[:limit])
            case "services.describe":
                return self._described(memory, args[0], busy)
        raise NotImplementedError(op)

    def _got(self, memory: int, keys: Sequence[Key]) -> Answer:
        cells = self.cells[memory]
        numbers = tuple(cells.get((_TABLE, key.pk, key.sk)) for key in keys)
        items: list[Item | None] = [
            None if number is None else _without_key(self.values[number].item())
            for number in numbers
        ]
        return Answer(numbers, items)

    def _listed(self, rows: Sequence[Mapping[str, Any]]) -> Answer:
        items = [dict(row) for row in rows]
        return Answer(tuple(map(_encode, items)), items)

    def _described(self, memory: int, names: Sequence[str] | None, busy: int) -> Answer:
        services = self.services(memory)
        names = sorted(services) if names is None else names
        seen = [
            ServiceSeen(
                name=name,
                status="ACTIVE",
                desired=services[name],
                running=max(services[name], busy),
                pending=0,
                tags={"mayfly:expires": str(int(_NO_ROUND))},
            )
            for name in names
            if name in services
        ]
        return Answer(tuple((s.name, s.desired, s.running) for s in seen), seen)

    def facts(self, memory: int) -> Facts:
        """What letters depend on."""
        found = self._facts.get(memory)
        if found is None:
            fields = [
                self.values[value].fields
                for name, value in self.cells[memory].items()
                if name[0] == _TABLE and name[1].startswith("job#")
            ]
            (head,) = [row for row in fields if row["sk"] == "head"] or [{}]
            tasks = [row for row in fields if row["sk"].startswith("task#")]
            states = {row["task_id"]: row["state"] for row in tasks}
            found = self._facts[memory] = Facts(
                job=head.get("state", ""),
                tasks=states,
                is_opened=head.get("parts", 1) > 1 and head["opened"] == head["parts"],
                is_stuck=not head.get("open_tasks", 1) or "open" in states.values(),
                is_lagging=any(task.get("lagging") for task in tasks),
                ended=frozenset(
                    (task["task_id"], name)
                    for task in tasks
                    for name in task.get("ended_attempts", ())
                ),
                named=frozenset(name for task in tasks for name in names_in(task)),
            )
        return found

    def with_names(self, memory: int, names: frozenset[Name]) -> int:
        """Who is not among these is nobody."""
        key = (memory, names)
        found = self._named.get(key)
        if found is None:
            cells = self.cells[memory].copy()
            for name, value in self.cells[memory].items():
                if name[0] == _TABLE and name[2].startswith("task#"):
                    row = self.values[value]
                    fields = with_names(row.fields, names)
                    cells[name] = self._row(msgspec.structs.replace(row, fields=fields))
            found = self._named[key] = self._kept(cells)
        return found

    def settled(self, memory: int, *, ageless: bool) -> int:
        """Without the versions of rows. `ageless`: as if all that was written had been written at
        the beginning, which is now; what lies ahead (the end of a lease) lies ahead."""
        key = (memory, ageless)
        found = self._settled.get(key)
        if found is None:
            now, cells = self.now(memory), self.cells[memory].copy()
            for name, value in self.cells[memory].items():
                if name[0] != _TABLE or name == _ROUND:
                    continue
                row = self.values[value]
                fields = of_no_age(row.fields, now) if ageless else row.fields.copy()
                if "version" in fields:
                    fields["version"] = 0
                cells[name] = self._row(msgspec.structs.replace(row, fields=fields))
            if ageless:
                cells[_TIME,] = self._value(0.0)
            found = self._settled[key] = self._kept(cells)
        return found

    # --- what is written ---------------------------------------------------------------------

    def write(self, memory: int, op: str, args: tuple[Any, ...]) -> int:
        """The memory afterwards. Raises Conflict, Gone, Unlawful."""
        match op:
            case "table.commit":
                return self._committed(memory, args[0])
            case "store.write":
                return self._written(memory, *args)
            case "store.copy":
                return self._copied(memory, *args)
            case "bus.publish":
                return self.put(memory, (_TOLD, args[0]), args[0])
            case "services.create":
                return self.put(memory, (_SERVICE, args[0]), args[1])
            case "services.resize":
                if (_SERVICE, args[0]) not in self.cells[memory]:
                    raise Gone(args[0])
                return self.put(memory, (_SERVICE, args[0]), args[1])
            case "services.delete":
                return self._deleted(memory, args[0])
        raise NotImplementedError(op)

    def put(self, memory: int, name: tuple[str, ...], value: Any) -> int:
        """One cell."""
        return self._kept({**self.cells[memory], name: self._value(value)})

    def later(self, memory: int, seconds: float) -> int:
        """Time passes."""
        return self.put(memory, (_TIME,), self.now(memory) - BEGAN_AT + seconds)

    def _committed(self, memory: int, changes: Sequence[Change]) -> int:
        cells = self.cells[memory].copy()
        for change in changes:
            name = (_TABLE, change.key.pk, change.key.sk)
            found = cells.get(name)
            before = None if found is None else self.values[found]
            row = apply(change, before)
            if before is not None and isinstance(change, Update):
                _check(change, before.fields, self.now(memory))
            if row is None:
                cells.pop(name, None)
            else:
                cells[name] = self._row(row)
        return self._kept(cells)

    def _written(self, memory: int, key: str, body: bytes) -> int:
        if not key.endswith("/control.json"):
            return self.put(memory, (_OBJECT, key), body)
        # Not kept: whoever works at what is done may be told so at any time, as `progressed`
        # would have it. Nobody else may.
        job, task = key.split("/")[1:3]
        if msgspec.json.decode(body)["order"] == "stop" and not self.is_over(memory, job, task):
            raise Unlawful(f"a worker is told to stop {task}, which is not done")
        return memory

    def is_over(self, memory: int, job: str, task: str) -> bool:
        """Whether a task is done, or its job has ended."""
        head, row = (
            self.row(memory, f"job#{job}", "head"),
            self.row(memory, f"job#{job}", f"task#{task}"),
        )
        return (row is not None and row["state"] == "done") or (
            head is not None and head["state"] in ENDS
        )

    def _copied(self, memory: int, source: str, key: str) -> int:
        was = self.outputs(memory).get(key)
        if was is not None and was != source:
            raise Unlawful(f"{key} was delivered, and was changed")
        return self.put(memory, (_OUTPUT, key), source)

    def _deleted(self, memory: int, name: str) -> int:
        if self.services(memory).get(name, 0) > 0:
            raise Conflict(f"{name} shall still run tasks.")
        cells = self.cells[memory].copy()
        cells.pop((_SERVICE, name), None)
        return self._kept(cells)

    # --- equal things are one ----------------------------------------------------------------

    def _row(self, row: Row) -> int:
        fields = canonical(row.fields)
        number = self._value_numbers.setdefault(_encode(fields), len(self.values))
        if number == len(self.values):
            nested = tuple(name for name in row.nested if name in fields)
            self.values.append(Row(fields, row.bytes_max, row.index_key, nested))
        return number

    def _value(self, value: Hashable) -> int:
        number = self._value_numbers.setdefault((type(value), value), len(self.values))
        if number == len(self.values):
            self.values.append(value)
        return number

    def _kept(self, cells: Cells) -> int:
        number = self._numbers.setdefault(frozenset(cells.items()), len(self.cells))
        if number == len(self.cells):
            self.cells.append(cells)
        return number


def _without_key(item: dict[str, Any]) -> dict[str, Any]:
    del item["pk"], item["sk"]
    return item


def _check(change: Update, before: Mapping[str, Any], now: float) -> None:
    """What is committed is final, and nobody's task is given to another who was heard of lately."""
    state, changed = before.get("state"), change.set
    if state == "done" and {"artifacts", "state"} & set(changed):
        raise Unlawful(f"{change.key.sk} was committed, and is committed again")
    is_lost = changed.get("lost", 0) > before.get("lost", 0)
    if state == "running" and is_lost and now - before["reported_at"] <= limits.SILENCE_SECONDS:
        raise Unlawful(f"{change.key.sk} is taken from somebody who was heard of lately")
