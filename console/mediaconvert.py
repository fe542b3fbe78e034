"""What AWS Elemental MediaConvert would have asked for the same outputs. Pure.

On-demand list price of its basic tier in us-east-1, single-pass AVC, per minute of output; an
output is charged for ten seconds at least. AWS's page has moved to "normalized minutes" since, and
large accounts pay less: it is an order of magnitude, and it is said so.
"""

import dataclasses
from collections.abc import Sequence

from mayfly.contract.outcome import Published
from mayfly.contract.report import Media

SOURCE = "MediaConvert basic tier, us-east-1, on-demand list price per minute of output"

#: SD below 720 lines, HD up to 1080, UHD above; up to 30 frames a second, twice that above.
SD_DOLLARS, HD_DOLLARS, UHD_DOLLARS = 0.0075, 0.015, 0.03
FAST_FRAMES_PER_SECOND = 30.5
CHARGED_SECONDS_MIN = 10.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A comparison figure."""

    dollars: float
    #: Outputs that the price list has no comparable line for.
    unpriced: tuple[str, ...]
    source: str = SOURCE


def quote(outputs: Sequence[Published]) -> Quote:
    """The price of the outputs with moving pictures; others are named as unpriced."""
    priced = [output for output in outputs if _is_video(output.media)]
    return Quote(
        dollars=round(sum((_dollars(output.media) for output in priced), 0.0), 6),
        unpriced=tuple(output.file for output in outputs if not _is_video(output.media)),
    )


def _is_video(media: Media) -> bool:
    if media.container == "hls":
        return False  # each size is charged, and only the largest is told
    moving = media.frames is None or media.frames > 1
    return bool(media.video_codec and media.duration_seconds and moving)


def _dollars(media: Media) -> float:
    long_side, short_side = sorted((media.width or 0, media.height or 0), reverse=True)
    if short_side < 720 and long_side < 1280:
        rate = SD_DOLLARS
    elif short_side <= 1080 and long_side <= 1920:
        rate = HD_DOLLARS
    else:
        rate = UHD_DOLLARS
    length = media.duration_seconds or 0.0
    if media.frames and length and media.frames / length > FAST_FRAMES_PER_SECOND:
        rate *= 2
    return rate * max(length, CHARGED_SECONDS_MIN) / 60
