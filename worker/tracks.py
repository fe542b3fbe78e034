"""Which of a source's sound tracks an output has. Pure.

It must never ask what a track sounds like, only what the file says of it.
"""

import dataclasses

from worker.probe import Stream


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """One sound track of an output."""

    #: Of the source: one, or mono ones that become its channels, in their order.
    streams: tuple[Stream, ...]
    #: How many it will have.
    channels: int

    @property
    def numbers(self) -> tuple[int, ...]:
        """Of its streams in the source."""
        return tuple(stream.index for stream in self.streams)

    @property
    def rate_hz(self) -> int:
        """At how many samples a second the source has it."""
        return self.streams[0].sample_rate
