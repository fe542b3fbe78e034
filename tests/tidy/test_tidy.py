"""What a reader may rely on in every file."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = (
    "mayfly",
    "dispatcher",
    "worker",
    "completion_handler",
    "infra",
    "local",
    "console",
    "bench",
    "build_tools",
    "tests",
)

FUNCTION_LINES_MAX = 50
FILE_LINES_MAX = 400
HANDLER_LINES_MAX = 60

#: Names that say nothing: whatever has no place ends in there.
NAMELESS = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc", "shared"}

#: What makes the core or the contract see the world it decides about.
WORLDLY_CALLS = re.compile(
    r"^(datetime\.)*(now|utcnow|today)$|^time\.|^random\.|^secrets\.|^uuid\d?$|^uuid\.|"
    r"^os\.|^open$|^print$|^input$"
)
WORLDLY_MODULES = {"os", "time", "random", "secrets", "uuid", "socket", "subprocess", "logging"}


@cache
def sources() -> list[Path]:
    found = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    return sorted(path for path in found if "__pycache__" not in path.parts)


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_a_function_fits_on_a_screen() -> None:
    long = [
        f"{named(path)}:{function.lineno} {function.name} has {lines} lines"
        for path in sources()
        for function in functions(path)
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES_MAX
    ]
    assert long == []


def test_a_file_is_read_in_one_sitting() -> None:
    lengths = {named(path): len(path.read_text().splitlines()) for path in sources()}
    assert {name: lines for name, lines in lengths.items() if lines > FILE_LINES_MAX} == {}


def test_a_handler_only_builds_parses_calls_and_answers() -> None:
    handlers = [ROOT / room / "handler.py" for room in ("dispatcher", "completion_handler")]
    lengths = {named(path): len(path.read_text().splitlines()) for path in handlers}
    assert {name: lines for name, lines in lengths.items() if lines > HANDLER_LINES_MAX} == {}


def test_a_module_says_why_it_exists() -> None:
    silent = [
        named(path)
        for path in sources()
        if not (path.name == "__init__.py" and not path.read_text().strip())
        and not ast.get_docstring(tree_of(path))
    ]
    assert silent == []


def test_a_modules_name_says_what_is_in_it() -> None:
    assert [named(path) for path in sources() if {path.stem, path.parent.name} & NAMELESS] == []


def worldly(path: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            roots = (
                {alias.name.split(".")[0] for alias in node.names}
                if isinstance(node, ast.Import)
                else {(node.module or "").split(".")[0]}
            )
            for module in sorted(roots & WORLDLY_MODULES):
                yield f"{named(path)}:{node.lineno} imports {module}"
        elif isinstance(node, ast.Call) and WORLDLY_CALLS.search(called := ast.unparse(node.func)):
            yield f"{named(path)}:{node.lineno} calls {called}"
        elif isinstance(node, ast.Attribute) and ast.unparse(node) == "os.environ":
            yield f"{named(path)}:{node.lineno} reads the environment"


@pytest.mark.parametrize("room", ["mayfly/core", "mayfly/contract"])
def test_time_chance_and_the_environment_reach_the_core_only_as_arguments(room: str) -> None:
    inside = [path for path in sources() if named(path).startswith(room)]
    assert inside
    assert [finding for path in inside for finding in worldly(path)] == []


def test_the_search_for_worldly_calls_finds_them(tmp_path: Path) -> None:
    probe = ROOT / "tests" / "tidy" / "probe.py"  # a name only; the text is parsed from a string
    guilty = "import random\nimport os\nx = datetime.datetime.now()\ny = os.environ\nopen('x')\n"
    module = ast.parse(guilty)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "tree_of", lambda _: module)
        assert len(list(worldly(probe))) >= 5


def test_the_wall_clock_is_not_asked_by_a_unit_test() -> None:
    asked = re.compile(r"\btime\.(time|sleep|monotonic)\(|\bdatetime\.now\(")
    guilty = [
        f"{named(path)}:{number}"
        for path in sources()
        if named(path).startswith("tests/unit/")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if asked.search(line)
    ]
    assert guilty == []


@cache
def documents() -> list[Path]:
    inside = [path for room in (*ROOMS, "docs", "docker") for path in (ROOT / room).rglob("*.md")]
    return sorted([*ROOT.glob("*.md"), *inside])


def test_a_document_has_one_title() -> None:
    for path in documents():
        outside = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
        titles = re.findall(r"^# .+", outside, re.MULTILINE)
        assert len(titles) == 1, f"{named(path)} has the titles {titles}"


def test_a_documents_links_into_the_tree_lead_somewhere() -> None:
    broken = [
        f"{named(path)} -> {target}"
        for path in documents()
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text())
        if "://" not in target
        and not target.startswith("mailto:")
        and not (path.parent / target).exists()
    ]
    assert broken == []


def test_nothing_in_the_tree_names_a_path_of_somebodys_machine() -> None:
    texts = [ROOT / "Makefile", ROOT / "pyproject.toml", *sources(), *documents()]
    telling = re.compile(r"(?<![\w.}])/(root|home|Users|work)/")
    here = Path(__file__).resolve()
    assert [
        named(path) for path in texts if path != here and telling.search(path.read_text())
    ] == []
