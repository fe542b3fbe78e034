"""Breaks the core and the use cases on purpose, a little each time: does a test notice?

mutmut makes the mutants, one file holding all of its own behind a switch, and finds out which tests
reach which function. The tests are collected once; then each mutant gets a fork in which the switch
is set and the tests that reach it run, the quickest first, until one fails. What was judged stands
in `mutants/`, so a run that was stopped goes on where it was. This module must not import what it
breaks before the broken copy is in place.
"""

import argparse
import gc
import json
import os
import resource
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from mutmut import __main__ as mutmut
from mutmut.configuration import config
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import (
    change_cwd,
    copy_also_copy_files,
    copy_src_dir,
    setup_source_paths,
)
from mutmut.utils.format_utils import mangled_name_from_mutant_name
from mutmut.workers.isolation import get_mutant_runner

ROOMS = ("core", "perform")
#: Of the processor, for one mutant; what loops for ever is noticed, too.
SECONDS_MAX = 15
SURVIVORS = Path("mutants/survivors.txt")
_KILLED, _SURVIVED, _NO_TESTS = 1, 0, 33


def main() -> None:
    """Judges what is not judged yet, and tells the score."""
    arguments = _arguments()
    set_mutant_under_test("mutant_generation")
    mutmut.print_status = lambda *_, **__: None  # type: ignore[attr-defined]
    Path("mutants").mkdir(exist_ok=True)
    with mutmut.CatchOutput():
        copy_src_dir()
        copy_also_copy_files()
        setup_source_paths()
        mutmut.create_mutants(arguments.processes)
    mutmut.collect_or_load_stats(get_mutant_runner(), apply_config_invalidation=True)
    todo = list(_unjudged(arguments.modules, again=arguments.again))
    judge = Judge(todo, arguments.processes)
    if todo:
        with change_cwd("mutants"):
            chosen = ["--rootdir=.", "-q", "--capture=no", "--assert=plain", *_pytest_arguments()]
            pytest.main(chosen, plugins=[judge])
    _tell(judge.broken)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("modules", nargs="*", help="such as core.pool; all if none is named")
    parser.add_argument("--again", action="store_true", help="try the survivors once more")
    parser.add_argument("--processes", type=int, default=2)
    return parser.parse_args()


def _pytest_arguments() -> list[str]:
    return [*config().pytest_add_cli_args_test_selection, *config().pytest_add_cli_args]


def _files(modules: Sequence[str] = ()) -> Iterator[SourceFileMutationData]:
    """What is known of each module: those that were named, as they were named."""
    every = [f"{room}.{path.stem}" for room in ROOMS for path in _sources(room)]
    for module in modules or every:
        room, _, name = module.partition(".")
        data = SourceFileMutationData(path=Path("mayfly") / room / f"{name}.py")
        data.load()
        data.meta_path = data.meta_path.absolute()  # the tests run in a folder of their own
        yield data


def _sources(room: str) -> list[Path]:
    return sorted((Path("mayfly") / room).glob("*.py"))


def _unjudged(
    modules: Sequence[str], *, again: bool
) -> Iterator[tuple[SourceFileMutationData, str]]:
    tried = {None, _SURVIVED, _NO_TESTS} if again else {None}
    for data in _files(modules):
        for name, code in data.exit_code_by_key.items():
            if code in tried:
                yield data, name


class Judge:
    """Runs in place of pytest's own loop over the tests."""

    def __init__(self, todo: Sequence[tuple[SourceFileMutationData, str]], processes: int) -> None:
        self._todo, self._processes = todo, processes
        self._running: dict[int, tuple[SourceFileMutationData, str, int]] = {}
        self._tells = -1
        #: Tests that killed a mutant, the latest last: neighbours often die of the same.
        self._killers: dict[str, None] = {}
        #: Why nothing can be judged, if so.
        self.broken = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        """Any failure will do, also of a fixture, and nobody wants to read of it."""
        if call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception):
            os.write(self._tells, item.nodeid.encode())
            os._exit(_KILLED)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """All the mutants, some at a time."""
        _let_hypothesis_take_its_time()
        by_id = {item.nodeid: item for item in session.items}
        gc.collect()
        gc.freeze()
        pid, told = self._fork(session, session.items, "", seconds_max=600)
        if _code_of(os.waitpid(pid, 0)[1]) != _SURVIVED:
            self.broken = f"without any mutant fails {os.read(told, 1000).decode()}"
            return True
        for done, (data, name) in enumerate(self._todo):
            while len(self._running) >= self._processes:
                self._wait()
            found = self._found(name, by_id)
            if not found:
                self._note(data, name, _NO_TESTS)
                continue
            pid, told = self._fork(session, found, name)
            self._running[pid] = data, name, told
            if done % 100 == 0:
                print(f"{done} of {len(self._todo)}: {name}", flush=True)
        while self._running:
            self._wait()
        return True

    def _found(self, name: str, by_id: Mapping[str, pytest.Item]) -> list[pytest.Item]:
        """The tests that reach the mutant, in the order in which they shall try."""
        tests = state().tests_by_mangled_function_name[mangled_name_from_mutant_name(name)]
        latest = {test: -turn for turn, test in enumerate(self._killers)}

        def turn(test: str) -> tuple[int, float]:
            return latest.get(test, 1), state().duration_by_test[test]

        return [by_id[test] for test in sorted(tests & by_id.keys(), key=turn)]

    def _fork(
        self,
        session: pytest.Session,
        items: Sequence[pytest.Item],
        name: str,
        seconds_max: int = SECONDS_MAX,
    ) -> tuple[int, int]:
        """The process in which the tests run, and where it tells of the one that failed."""
        told, tells = os.pipe()
        if pid := os.fork():
            os.close(tells)
            return pid, told
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.dup2(nowhere, sys.stderr.fileno())
            resource.setrlimit(resource.RLIMIT_CPU, (seconds_max, seconds_max + 1))
            signal.alarm(4 * seconds_max)
            gc.disable()
            self._tells = tells
            set_mutant_under_test(name)
            for item, following in zip(items, [*items[1:], None], strict=True):
                session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            os._exit(_SURVIVED)
        except BaseException:  # noqa: BLE001 - whatever it is, nothing survives it
            os._exit(_KILLED)

    def _wait(self) -> None:
        pid, status = os.waitpid(-1, 0)
        data, name, told = self._running.pop(pid)
        self._note(data, name, _code_of(status))
        with os.fdopen(told, "rb") as pipe:
            if killer := pipe.read().decode():
                self._killers.pop(killer, None)
                self._killers[killer] = None

    def _note(self, data: SourceFileMutationData, name: str, code: int) -> None:
        data.exit_code_by_key[name] = code
        place, data.meta_path = data.meta_path, data.meta_path.with_suffix(".new")
        data.save()
        data.meta_path = data.meta_path.replace(place)  # a run may be stopped at any time


def _let_hypothesis_take_its_time() -> None:
    import hypothesis  # here, since pytest wants to be the first to import it

    hypothesis.settings.register_profile("mutants", deadline=None, derandomize=True, database=None)
    hypothesis.settings.load_profile("mutants")


def _code_of(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return -signal.SIGXCPU if code == -signal.SIGALRM else code


def _tell(broken: str) -> None:
    if broken:
        sys.exit(f"Nothing was judged: {broken}.")
    with SURVIVORS.open("w") as file:
        for data in _files():
            for name, code in data.exit_code_by_key.items():
                if status_by_exit_code[code] in ("survived", "no tests"):
                    file.write(f"{_line(data, name)}\n")
    for room in ROOMS:
        counts = Counter[str]()
        for data in _files():
            if Path(data.path).parent.name == room:
                counts.update(status_by_exit_code[code] for code in data.exit_code_by_key.values())
        print(_score(room, counts))
    print(f"Those that live: {SURVIVORS}")


def _score(room: str, counts: Counter[str]) -> str:
    judged = counts.total() - counts["not checked"]
    noticed = counts["killed"] + counts["timeout"]
    share = f"{100 * noticed / judged:.1f} %" if judged else "nothing"
    told = json.dumps(counts).strip("{}").replace('"', "")
    return f"mayfly/{room}: {share} of {judged} mutants killed ({told})"


def _line(data: SourceFileMutationData, name: str) -> str:
    """The mutant on one line: where it is, what stood there, what stands there now."""
    lines = get_diff_for_mutant(name, path=data.path).splitlines()
    old = " ".join(line[1:].strip() for line in lines if line[:1] == "-" and line[:3] != "---")
    new = " ".join(line[1:].strip() for line in lines if line[:1] == "+" and line[:3] != "+++")
    return f"{name.removeprefix('mayfly.')}: {old}  =>  {new}"


if __name__ == "__main__":
    main()
