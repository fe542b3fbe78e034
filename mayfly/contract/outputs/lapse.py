"""How photographs become a film: what a recipe for a set of images says beside its outputs.

It must never know how they are read or put together; the worker does that.
"""

from typing import Annotated, Literal

import msgspec

#: What a second of film shows where nobody says anything: cinema's rate, and a short film.
LAPSE_FPS = 24
#: Fewer is a slide show, more no screen shows.
LAPSE_FPS_MIN, LAPSE_FPS_MAX = 1, 60


class Timelapse(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Photographs, each of which becomes one picture of a film without sound."""

    #: Photographs a second; 24 when seconds is null too.
    fps: Annotated[int, msgspec.Meta(ge=LAPSE_FPS_MIN, le=LAPSE_FPS_MAX)] | None = None
    #: Instead: how long the film shall be, at 1 to 60 photographs a second.
    seconds: Annotated[int, msgspec.Meta(ge=1, le=3600)] | None = None
    #: By the camera's clock (EXIF) or by name (IMG_2 before IMG_10). When null, a list keeps its
    #: own order, and a folder goes by the clock.
    order: Literal["name", "exif"] | None = None
    #: Even out brightness that jumps from one photograph to the next.
    deflicker: bool = False
    #: Of photographs in another shape than most: all of them between black bars, or what fills the
    #: picture.
    mixed: Literal["pad", "crop"] = "pad"
    #: Where the camera paused: go on, or show the last photograph for as long, a second at most.
    gaps: Literal["ignore", "hold"] = "ignore"
    #: So large a share of the photographs may be unreadable; they are left out, and named.
    skip_max: Annotated[float, msgspec.Meta(ge=0, le=0.5)] = 0.05

    def __post_init__(self) -> None:
        if self.fps is not None and self.seconds is not None:
            raise ValueError("fps or seconds: the other follows from the number of photographs")
