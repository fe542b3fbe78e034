"""The runner's limits, each shown to bite, on programs made for it."""

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from worker.ends import Halted, Reason
from worker.halt import Halt
from worker.run import Bounds, Ending, Fate, run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits are the kernel's")


def bounds(**changed: Any) -> Bounds:
    usual = {"seconds": 30.0, "memory_bytes": 1 << 30, "file_bytes": 1 << 20}
    return Bounds(**{**usual, **changed})


def python(
    code: str,
    folder: Path,
    *,
    lines: list[bytes] | None = None,
    halt: Halt | None = None,
    **limits: Any,
) -> Ending:
    def on_line(line: bytes) -> bool:
        if lines is not None:
            lines.append(line)
        return True

    return run(
        [sys.executable, "-I", "-S", "-c", code],
        folder=folder,
        bounds=bounds(**limits),
        halt=halt or Halt(),
        on_line=on_line,
    )


def test_lines_and_last_words_are_kept_apart(tmp_path: Path) -> None:
    lines: list[bytes] = []
    ending = python("import sys; print('one\\ntwo'); sys.exit('three')", tmp_path, lines=lines)
    assert (ending.fate, ending.exit_code) == (Fate.FAILED, 1)
    assert lines == [b"one", b"two"]
    assert ending.tail == ("three",)


def test_the_environment_holds_nothing_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "ECS_AGENT_URI", "MAYFLY_JOBS_QUEUE_URL", "PYTHONPATH"):
        monkeypatch.setenv(name, "secret")
    lines: list[bytes] = []
    python("import json, os; print(json.dumps(dict(os.environ)))", tmp_path, lines=lines)
    seen = json.loads(lines[0])
    assert "secret" not in seen.values()
    assert not [name for name in seen if name.startswith(("AWS_", "ECS_", "MAYFLY_"))]


def test_it_runs_in_a_group_of_its_own(tmp_path: Path) -> None:
    lines: list[bytes] = []
    python("import os; print(os.getpgid(0) == os.getpid(), os.getcwd())", tmp_path, lines=lines)
    assert lines[0].split() == [b"True", str(tmp_path.resolve()).encode()]


def test_a_program_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    began = time.monotonic()
    ending = python("import time; time.sleep(60)", tmp_path, seconds=0.3)
    assert ending.fate is Fate.TIME_LIMIT
    assert time.monotonic() - began < 10


def test_a_program_that_hangs_is_killed(tmp_path: Path) -> None:
    code = "import time\nfor _ in range(3): print('on', flush=True); time.sleep(.1)\ntime.sleep(60)"
    assert python(code, tmp_path, stall_seconds=0.5).fate is Fate.STALLED
    assert python(code, tmp_path, stall_seconds=0.5, written=tmp_path).fate is Fate.STALLED


def test_who_writes_without_a_word_does_not_hang(tmp_path: Path) -> None:
    """As ffmpeg does while it moves an index to the front."""
    code = (
        "import os, time\n"
        "file = open('v.mp4', 'wb', buffering=0)\n"
        "for _ in range(12): file.write(b'x'); time.sleep(0.1)\n"
    )
    assert python(code, tmp_path, stall_seconds=0.5, written=tmp_path).fate is Fate.SUCCEEDED
    assert python(code, tmp_path, stall_seconds=0.5).fate is Fate.STALLED


def test_a_program_that_wants_too_much_memory_is_refused_it(tmp_path: Path) -> None:
    code = (
        "import sys\ntry: x = bytearray(1 << 30)\n"
        "except MemoryError: sys.exit('Cannot allocate memory')"
    )
    assert python(code, tmp_path, memory_bytes=256 << 20).fate is Fate.MEMORY_LIMIT


def test_a_program_that_the_kernel_kills_for_memory_is_understood(tmp_path: Path) -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert python(code, tmp_path).fate is Fate.MEMORY_LIMIT


def test_a_file_that_grows_too_large_ends_the_program(tmp_path: Path) -> None:
    code = (
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n"
        "f = open('out', 'wb', buffering=0)\nwhile True: f.write(bytes(65536))"
    )
    assert python(code, tmp_path, file_bytes=1 << 20).fate is Fate.OUTPUT_LIMIT
    assert (tmp_path / "out").stat().st_size <= 1 << 20


def test_a_program_that_prints_without_end_is_killed(tmp_path: Path) -> None:
    code = "while True: print('x' * 1000)"
    assert python(code, tmp_path, stdout_bytes=100_000).fate is Fate.OUTPUT_LIMIT


def test_a_line_without_end_does_not_fill_memory(tmp_path: Path) -> None:
    lines: list[bytes] = []
    python("import sys; sys.stdout.write('x' * (5 << 20))", tmp_path, lines=lines)
    assert len(lines) > 3
    assert sum(map(len, lines)) == 5 << 20


def test_a_halt_ends_a_program_that_ignores_sigterm(tmp_path: Path) -> None:
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('up', flush=True); time.sleep(60)"
    )
    halt = Halt()
    began = time.monotonic()

    class Ready(list[bytes]):
        def append(self, line: bytes) -> None:
            threading.Thread(target=halt.set, args=(Reason.SIGNAL,)).start()

    with pytest.raises(Halted):
        python(code, tmp_path, lines=Ready(), halt=halt)
    assert time.monotonic() - began < 5


def test_what_a_program_leaves_behind_in_its_group_dies_with_it(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],"
        " stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "print(p.pid)"
    )
    lines: list[bytes] = []
    python(code, tmp_path, lines=lines)
    left = int(lines[0])
    deadline = time.monotonic() + 5
    while _lives(left) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _lives(left)


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def test_cpu_seconds_are_the_programs_own(tmp_path: Path) -> None:
    code = "import time\nwhile time.process_time() < 0.3: pass"
    ending = python(code, tmp_path)
    assert 0.3 <= ending.cpu_seconds < 0.6


def test_nothing_is_started_after_a_halt(tmp_path: Path) -> None:
    halt = Halt()
    halt.set(Reason.SIGNAL)
    with pytest.raises(Halted):
        python("open('trace', 'w')", tmp_path, halt=halt)
    assert os.listdir(tmp_path) == []  # noqa: PTH208
