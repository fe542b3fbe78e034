"""How one long source becomes many tasks: its cuts, in ticks of one clock that all of them share.

A worker answers `encode` with a plan; chunk tasks carry the part of it that they need. Cuts are
presentation times in whole ticks, never seconds: a float that is rounded twice loses a frame.
This module must never judge a plan: what may be carried out stands in `mayfly.core.parts`.
"""

import msgspec


class Grid(msgspec.Struct, frozen=True, kw_only=True):
    """The even frames of a ladder: what a source shows at `frame / rate` seconds. Segments are
    whole numbers of them, and chunks whole numbers of segments."""

    #: Frames a second, as a fraction: (30000, 1001).
    rate: tuple[int, int]
    segment_frames: int
    #: The source's tick at which frame 0 is shown: half a frame from the origin at most, so that a
    #: source as even as the grid has each of its frames on it once.
    zero_ticks: int


class Factor(msgspec.Struct, frozen=True, kw_only=True):
    """How one picture of a recipe is to be encoded, since it is to look as good as that says."""

    #: Which output, by its number in the recipe; of a ladder, which of its rungs.
    output: int
    rung: int | None = None
    crf: int
    #: What samples came to.
    vmaf: float
    #: Not, where a rung would look like the one below it.
    made: bool = True


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """What was found about a source's quality before any of it was made."""

    factors: tuple[Factor, ...]
    #: The windows that were looked at, in ticks of the plan's clock, half-open.
    windows: tuple[tuple[int, int], ...]


class PlanClock(msgspec.Struct, frozen=True, kw_only=True):
    """What a tick means, so that every part filters and cuts on one presentation clock."""

    #: Seconds of a tick, as a fraction: (1, 90000).
    time_base: tuple[int, int]
    #: The tick that all filters count from.
    origin_ticks: int
    #: How far before its start a chunk must seek in order to meet a keyframe.
    margin_seconds: float
    #: How long the source's shortest frame is shown. Any less would do as well.
    frame_ticks: int = 1
    #: Where a ladder comes of it.
    grid: Grid | None = None
    #: Where a recipe asks for a quality.
    quality: Decided | None = None
    #: Where the source's own frames lie, if a film shall keep only some of them.
    own: Grid | None = None


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """The half-open interval of one chunk. The first begins before, the last ends after any time:
    what containers say of their length is wrong too often.

    Two scopes are the same work only on the same clock, so it is part of them."""

    number: int
    clock: PlanClock
    start_ticks: int | None = None
    end_ticks: int | None = None
    #: The plan's: a chunk makes those that lie in its interval.
    stills: tuple[int, ...] = ()


class Plan(PlanClock, frozen=True, kw_only=True):
    """The cuts of one source. The same source and recipe give the same plan."""

    #: The inner cuts, strictly increasing: one fewer than there are chunks.
    boundaries: tuple[int, ...]
    #: Sound tracks, each encoded whole by a task of its own.
    audio_tracks: int = 0
    #: When the frame is shown that each still picture of the recipe takes, in the recipe's order: a
    #: chunk does not know all frames, and so cannot count to it.
    stills: tuple[int, ...] = ()
    #: Wall seconds that the pictures of all chunks take one worker; 0: nobody predicted that.
    predicted_seconds: float = 0.0

    @property
    def chunks(self) -> int:
        """How many intervals the cuts make."""
        return len(self.boundaries) + 1

    @property
    def clock(self) -> PlanClock:
        """What each part needs of it."""
        return PlanClock(
            time_base=self.time_base,
            origin_ticks=self.origin_ticks,
            margin_seconds=self.margin_seconds,
            frame_ticks=self.frame_ticks,
            grid=self.grid,
            quality=self.quality,
            own=self.own,
        )

    def scope(self, number: int) -> Scope:
        """What chunk `number` covers, counted from 0."""
        return Scope(
            number=number,
            clock=self.clock,
            start_ticks=self.boundaries[number - 1] if number > 0 else None,
            end_ticks=self.boundaries[number] if number < len(self.boundaries) else None,
            stills=self.stills,
        )
