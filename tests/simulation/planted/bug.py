"""One bug to plant: what it is, where it is known from, and how our code would have it.

It must import nothing of the code under test: it is read before that is loaded.
"""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """One of the catalogue."""

    number: int
    #: What goes wrong, in one line.
    title: str
    #: Whose it was.
    source: str
    #: File from the root of the tree, the text that stands there exactly once, and what it becomes.
    #: Each applies to what those before it have left.
    changes: tuple[tuple[str, str, str], ...]
    #: What the entry plants instead, where our design cannot express the bug as it was.
    nearest: str = ""
