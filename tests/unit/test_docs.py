"""Pages that are made from code are as new as the code."""

from pathlib import Path

from mayfly.contract import failure
from mayfly.core import diagram, failure_page

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_of_the_state_machine_is_what_the_table_says() -> None:
    assert (DOCS / "state-machine.md").read_text() == diagram.page()


def test_the_page_of_failures_ends_with_the_codes_as_they_are() -> None:
    page = (DOCS / "failures.md").read_text()
    again = "renew it: python -m mayfly.core.failure_page docs/failures.md"
    assert page == failure_page.renewed(page), again


def test_a_renewed_page_keeps_what_was_written_by_hand() -> None:
    page = failure_page.renewed("# When it fails\n\nProse.\n\n## Every code\n\n| old |\n")
    assert page.startswith("# When it fails\n\nProse.\n\n## Every code\n")
    assert "old" not in page.splitlines()[-1]
    assert failure_page.renewed(page) == page
    assert failure_page.renewed("# When it fails\n\nProse.\n") == page
    assert sum(line.startswith("| `") for line in page.splitlines()) == len(failure.KNOWN)


def test_a_failure_is_told_with_its_class_and_whether_it_is_for_good() -> None:
    page = failure_page.renewed("")
    for told in (
        "| `source_empty` | bad_input | permanent | The file has zero bytes. | Upload it again;",
        "| `spot_interruption` | interruption | temporary | The worker was interrupted. | Nothing:",
        "| `encoder_failed` | unknown | unknown | The encoder failed. | See the last lines",
    ):
        assert told in page
