"""Pages that are made from code are as new as the code."""

from pathlib import Path

from mayfly.contract import failure
from mayfly.core import diagram

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_of_the_state_machine_is_what_the_table_says() -> None:
    assert (DOCS / "state-machine.md").read_text() == diagram.page()


def test_every_failure_code_has_its_line_in_the_page_of_failures() -> None:
    page = (DOCS / "failures.md").read_text()
    assert [code for code in failure.KNOWN if f"| `{code}` |" not in page] == []
