"""Where a test or the simulator makes the world fail.

Every port in memory asks before it acts and after it has acted. `before` raising is a call that
never arrived; `after` raising is the answer that got lost although the deed was done.
"""


class Faults:
    """Fair weather. Override what shall fail; raise what the port documents, mostly Temporary."""

    def before(self, action: str) -> None:
        """Called with `<port>.<method>` before anything has changed."""

    def after(self, action: str) -> None:
        """Called with `<port>.<method>` after everything has changed."""

    def took(self, branch: str, value: object) -> None:
        """Called when a field of `Branches` made a difference, for who counts. Never raises."""
