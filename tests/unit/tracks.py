"""Tracks of a ladder as an index tells of them, for the tests of what lists them."""

import msgspec

from mayfly.contract.ladder import Segment, Track


def track(
    *segments: tuple[int, ...], name: str = "v0", rate: tuple[int, int] = (30000, 1001)
) -> Track:
    """Of so many frames and bytes each, and so many bytes up to the end of the keyframe."""
    made, at = [], 0
    for number, (length, size, *key) in enumerate(segments):
        made.append(Segment(number, at, length, size, "0" * 64, *key))
        at += length
    return Track(
        name=name,
        codec="avc1.64001f" if name[0] == "v" else "mp4a.40.2",
        rate=rate,
        init_bytes=800,
        init_sha256="0" * 64,
        segments=tuple(made),
        width=1280 if name[0] == "v" else 0,
        height=720 if name[0] == "v" else 0,
        channels=0 if name[0] == "v" else 2,
    )


PICTURE = track((120, 1_000_000, 40_000), (120, 2_000_000, 90_000), (60, 100_000, 30_000))
SMALL = msgspec.structs.replace(
    track((120, 100_000, 4_000), (120, 200_000, 9_000), (60, 10_000, 3_000), name="v1"),
    width=640,
    height=360,
)
SOUND = track((192_000, 64_000), (191_000, 64_000), (97_000, 32_000), name="a0", rate=(48_000, 1))
