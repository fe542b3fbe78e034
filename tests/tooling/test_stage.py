"""A staged folder runs by itself, holds what is used and no more, and never changes for nothing."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from build_tools import closure, stage, tree
from mayfly.memory.world import SETTINGS

ROOT = stage.ROOT
ENTRIES = [
    ("dispatcher", "dispatcher.handler"),
    ("completion_handler", "completion_handler.handler"),
    ("worker", "worker.__main__"),
]

STAGED = [
    ("host", "dispatcher"),
    ("host", "completion_handler"),
    ("host", "worker"),
    ("lambda", "dispatcher"),
    ("linux-x86_64", "worker"),
]

pytestmark = pytest.mark.xdist_group("stage")


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A build folder of this test's own, filled as `make build` fills its."""
    build = tmp_path_factory.mktemp("build")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UV_OFFLINE", "1")  # `make test` has staged before: the wheels are here
        patch.setattr(stage, "BUILD", build)
        patch.setattr(stage, "RECEIPTS", build / ".receipts")
        (build / ".receipts").mkdir()
        try:
            for target, deployable in STAGED:
                assert stage.stage(stage.TARGETS[target], deployable)
        except SystemExit as said:
            pytest.fail(f"Wheels are missing here; `make test` brings them before it tests. {said}")
        yield build


def alone(folder: Path, code: str) -> "subprocess.CompletedProcess[str]":
    """Runs code that can import the folder and Python's own library, nothing else."""
    program = f"import sys; sys.path.insert(0, {str(folder)!r}); sys.dont_write_bytecode = True\n"
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", program + code],
        cwd="/",
        env={"AWS_DEFAULT_REGION": "us-east-1", **SETTINGS.to_env()},
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(("deployable", "module"), ENTRIES)
def test_a_staged_deployable_imports_with_nothing_else_around(
    staged: Path, deployable: str, module: str
) -> None:
    done = alone(staged / "host" / deployable, f"import {module}")
    assert done.returncode == 0, done.stderr


def test_the_presets_travel_with_the_contract(staged: Path) -> None:
    code = "from mayfly.contract import presets; print(*presets.all_presets())"
    done = alone(staged / "host" / "dispatcher", code)
    assert "mp4-720p" in done.stdout, done.stderr


@pytest.mark.parametrize(("target", "deployable"), STAGED)
def test_rooms_that_are_never_shipped_are_not_in_there(
    staged: Path, target: str, deployable: str
) -> None:
    folder = staged / target / deployable
    ours = {entry.name for entry in folder.iterdir()} & {*closure.ROOMS, "tests", "bin"}
    assert ours == {"mayfly", deployable}
    names = {path.name for path in tree.files_below(folder / deployable)}
    assert not any(name.startswith(("test_", "conftest")) for name in names)
    assert not list(folder.rglob("*.pyc"))


def test_what_is_left_of_botocore_makes_every_client_that_the_code_asks_for(staged: Path) -> None:
    asked = re.findall(r'_client\("([a-z0-9]+)"\)', (ROOT / "mayfly/aws/clients.py").read_text())
    assert {"sqs", "s3", "dynamodb", "ecs", "sts", "events"} <= set(asked)
    code = f"from mayfly.aws import clients\nfor name in {asked}: clients.make(name)"
    for deployable in ("dispatcher", "completion_handler"):
        done = alone(staged / "host" / deployable, code)
        assert done.returncode == 0, done.stderr
    weight = sum(path.stat().st_size for path in tree.files_below(staged / "lambda" / "dispatcher"))
    assert weight < 16_000_000, "each cold start unpacks it"


def test_the_functions_carry_wheels_of_lambdas_machine(staged: Path) -> None:
    compiled = [path.name for path in (staged / "lambda" / "dispatcher").rglob("*.so")]
    assert compiled
    assert all("cpython-313-aarch64-linux-gnu" in name for name in compiled)


def test_the_worker_needs_no_aws_room_that_could_touch_the_table() -> None:
    shipped = {path.relative_to(ROOT).as_posix() for path in closure.files_of("worker", ROOT)}
    assert not {"mayfly/aws/dynamodb.py", "mayfly/aws/signer.py", "mayfly/aws/ecs.py"} & shipped


def test_no_deployable_carries_the_deployer() -> None:
    for deployable in stage.GROUPS:
        shipped = {path.relative_to(ROOT).as_posix() for path in closure.files_of(deployable, ROOT)}
        assert not {"mayfly/aws/stack.py", "mayfly/aws/cloudformation.py"} & shipped


def test_staging_what_has_not_changed_does_nothing(staged: Path) -> None:
    assert not stage.stage(stage.TARGETS["host"], "dispatcher")


def test_a_folder_that_somebody_touched_is_staged_anew_and_comes_out_the_same(
    staged: Path,
) -> None:
    folder = staged / "host" / "dispatcher"
    before = tree.digest(tree.files_below(folder), folder)
    (folder / "dispatcher" / "stray.py").write_text("")
    assert stage.stage(stage.TARGETS["host"], "dispatcher")
    assert tree.digest(tree.files_below(folder), folder) == before


def test_what_python_compiled_in_there_is_swept_out(staged: Path) -> None:
    folder = staged / "host" / "dispatcher"
    cache = folder / "dispatcher" / "__pycache__"
    cache.mkdir()
    (cache / "x.pyc").write_bytes(b"")
    assert not stage.stage(stage.TARGETS["host"], "dispatcher")
    assert not cache.exists()


def test_every_staged_file_has_one_time_and_one_mode(staged: Path) -> None:
    stats = {
        (int(path.stat().st_mtime), oct(path.stat().st_mode & 0o777))
        for path in tree.files_below(staged / "host" / "worker")
    }
    assert stats == {(tree.STAGED_AT_SECONDS, "0o644")}


def test_reaching_for_a_room_that_is_never_shipped_fails_by_name(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[1]);"
        "from build_tools import closure; closure.files_of('worker', pathlib.Path(sys.argv[1]))"
    )
    for room in closure.ROOMS:
        (tmp_path / room).mkdir()
        (tmp_path / room / "__init__.py").touch()
    (tmp_path / "worker" / "run.py").write_text("import mayfly.core\n")
    (tmp_path / "mayfly" / "core.py").write_text("def f():\n    from console import main\n")
    (tmp_path / "console" / "main.py").touch()
    (tmp_path / "build_tools" / "closure.py").write_text(Path(closure.__file__).read_text())
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )
    assert "worker imports console" in done.stderr
    assert "mayfly.core -> console.main" in done.stderr
