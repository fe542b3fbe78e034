"""What is done to a picture before it is encoded: which part of it, which way up, and how it comes
into its box. In the same words for every output that shows pictures.

It must never know how that is done; the worker's compiler does.
"""

from typing import Annotated, Literal

import msgspec

from mayfly.contract.outputs.fields import Box

#: Of a side: less than all of it.
Share = Annotated[float, msgspec.Meta(ge=0, le=0.9)]

#: What is left of a side is no line.
_LEFT_MIN = 0.05


class Crop(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is cut off at each side, as a share of the width or height that a viewer sees: the same
    recipe does for every size of source."""

    left_fraction: Share = 0
    top_fraction: Share = 0
    right_fraction: Share = 0
    bottom_fraction: Share = 0

    def __post_init__(self) -> None:
        across = self.left_fraction + self.right_fraction
        down = self.top_fraction + self.bottom_fraction
        if max(across, down) > 1 - _LEFT_MIN:
            raise ValueError(
                f"a crop leaves at least {_LEFT_MIN} of the width and of the height: cut off less"
            )


#: `inside`: as large as fits, in its own shape. `pad`: the same with black around it, so that it is
#: exactly the box. `fill`: so large that it covers the box, and what hangs over is cut off.
Fit = Literal["inside", "pad", "fill"]

#: Degrees, clockwise.
Turn = Literal[0, 90, 180, 270]


#: The name of an image, under `assets/` in the stack's bucket.
AssetName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}\.(png|jpg|webp)$")]

Corner = Literal["top-left", "top-right", "bottom-left", "bottom-right", "center"]


class Watermark(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An image that is drawn onto every frame. Its shape stays what it is."""

    image: AssetName
    position: Corner = "bottom-right"
    #: How wide it is, of the width of the film.
    width_fraction: Annotated[float, msgspec.Meta(ge=0.01, le=1)] = 0.15
    #: How far it is from both sides of its corner, of the width of the film.
    margin_fraction: Annotated[float, msgspec.Meta(ge=0, le=0.25)] = 0.02
    #: 1 hides what is behind it, as far as the image itself does.
    opacity: Annotated[float, msgspec.Meta(ge=0.05, le=1)] = 1


class Drawn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An output that shows pictures. First it is cropped, then turned, then mirrored, then brought
    into its box."""

    #: Of the picture as a viewer sees the source, upright.
    crop: Crop | None = None
    #: Beside what the source itself says of which way up it is, which is done in any case.
    rotate: Turn = 0
    #: Left for right, or top for bottom.
    flip: Literal["horizontal", "vertical"] | None = None
    fit: Fit = "inside"

    def check_box(self, box: Box) -> None:
        """Raises ValueError for a box that cannot be had exactly."""
        if self.fit != "inside" and (box.width % 2 or box.height % 2):
            raise ValueError(
                f"{self.fit} makes exactly the box, whose sides must be even: {box.width}x"
                f"{box.height} is not"
            )
