"""Compiles sound: the filters between its decoder and its encoders, and the encoder. Pure."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from mayfly.contract.recipe import Aac, LadderOutput
from worker import compile_ladder
from worker.preflight import Seen
from worker.promise import LAYOUTS, Promise
from worker.streams import branches

#: Sampling rates of AAC up to 48 kHz; others become the highest.
RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)


def sound_since(decoded: Any, origin_seconds: Fraction) -> Any:
    """On the picture's clock, to the nearest sample: an expression's fraction would be cut off."""
    return decoded.filter("asetpts", f"round(PTS-({origin_seconds})/TB)")


def heard_in(decoded: Any, material: Seen, promises: Sequence[Promise]) -> dict[str, Any]:
    """A filtered stream for each output that has sound."""
    assert material.sound is not None
    # Gaps are filled with silence, so that sound and picture stay together; and it begins where
    # the picture's clock does, since players treat a late start in different ways.
    steady = decoded.filter("aresample", **{"async": 1, "first_pts": 0})
    rate = material.sound.sample_rate
    return {
        promise.output.file: _lasting(branch, promise).filter(
            "aformat",
            sample_fmts="fltp",
            sample_rates=rate if rate in RATES_HZ else RATES_HZ[-1],
            channel_layouts=LAYOUTS[promise.channels or 1],
        )
        for promise, branch in zip(promises, branches(steady, "asplit", len(promises)), strict=True)
    }


def _lasting(heard: Any, promise: Promise) -> Any:
    """Where sound is a file of its own, players wait for it at its end: silence follows it there
    for as long as there is a picture."""
    if not promise.sound_seconds:
        return heard
    return heard.filter("apad", whole_dur=f"{promise.sound_seconds:.6f}")


def aac(wanted: Aac) -> dict[str, Any]:
    """The encoder of sound."""
    return {"c:a": "aac", "b:a": f"{wanted.bitrate_kbps}k"}


def of_ladder(promise: Promise, sounds: dict[str, Any]) -> list[Any]:
    """The sound of a ladder, if it has any."""
    output = promise.output
    assert isinstance(output, LadderOutput)
    if promise.channels is None or output.audio is None:
        return []
    return [compile_ladder.sound(output, sounds[output.file], aac(output.audio))]
