"""How long pictures will take: every word of the recipe language has its figure, and all grow."""

import itertools
from typing import get_args

import pytest

from mayfly.contract import presets
from mayfly.contract.formats import VideoCodec
from mayfly.contract.recipe import (
    AudioOutput,
    Box,
    LadderOutput,
    PosterOutput,
    Recipe,
    Rung,
    Timelapse,
    VideoOutput,
)
from mayfly.core import prediction
from mayfly.core.prediction import DECODE_MS, ENCODE_MS, Encode, Source

HD = 1920 * 1080
FILM = Source(codec="h264", pixels=HD, frames=86_400)


def encode(speed: str = "medium", pixels: int = 1280 * 720) -> Encode:
    return Encode(codec="h264", speed=speed, pixels=pixels)


def said(field: str) -> tuple[str, ...]:
    return get_args(VideoOutput.__annotations__[field])


def test_every_encoder_and_speed_of_the_recipe_language_was_measured() -> None:
    assert set(ENCODE_MS) == {(codec, speed) for codec in said("codec") for speed in said("speed")}


def test_care_costs_more_and_so_do_pixels_outputs_and_frames() -> None:
    by_speed = [prediction.seconds(FILM, [encode(speed)], 2) for speed in said("speed")]
    assert by_speed == sorted(by_speed)
    one = prediction.seconds(FILM, [encode()], 2)
    assert prediction.seconds(FILM, [encode(pixels=HD)], 2) > one
    assert prediction.seconds(FILM, [encode(), encode("veryfast")], 2) > one
    longer = Source(codec="h264", pixels=HD, frames=2 * FILM.frames)
    assert prediction.seconds(longer, [encode()], 2) == pytest.approx(2 * one)


def test_a_picture_of_the_sources_size_is_not_scaled() -> None:
    same = prediction.seconds(FILM, [encode(pixels=HD)], 1)
    ms = DECODE_MS["h264"] + ENCODE_MS["h264", "medium"]
    assert same == pytest.approx(ms * HD * FILM.frames / 1e9)
    less = prediction.seconds(FILM, [encode(pixels=HD - 2)], 1)
    assert less - same == pytest.approx(prediction.SCALE_MS * HD * FILM.frames / 1e9, rel=1e-3)


def test_a_ladder_costs_what_its_sizes_do_in_its_codec() -> None:
    rungs = tuple(Rung(box=Box(width=size, height=size)) for size in (640, 320))
    for codec in get_args(VideoCodec):
        ladder = LadderOutput(codec=codec, rungs=rungs, speed="fast")
        encodes = [Encode(codec=codec, speed="fast", pixels=size**2) for size in (640, 320)]
        told = prediction.recipe_seconds(Recipe(outputs=(ladder,)), FILM, 2)
        assert told == prediction.seconds(FILM, encodes, 2)


def test_a_codec_that_nobody_measured_counts_as_the_dearest() -> None:
    dearest = max(DECODE_MS, key=lambda codec: DECODE_MS[codec])
    strange, known = (
        prediction.seconds(Source(codec=codec, pixels=HD, frames=100), [encode()], 2)
        for codec in ("strange", dearest)
    )
    assert strange == known


def test_twice_the_processors_are_nearly_twice_as_fast() -> None:
    seconds = [prediction.seconds(FILM, [encode()], threads) for threads in (1, 2, 4, 8, 16)]
    for slow, fast in itertools.pairwise(seconds):
        assert 1.8 < slow / fast < 2
    assert prediction.seconds(FILM, [encode()], 0.5) == pytest.approx(2 * seconds[0])


def test_an_hour_of_1080p_to_720p_is_half_an_hour_of_a_standard_worker() -> None:
    """The order of magnitude that everything else is sized by."""
    assert 1500 < prediction.seconds(FILM, [encode()], 2) < 2100


def test_bytes_tell_little_and_of_sound_and_stills_nothing() -> None:
    film = presets.all_presets()["mp4-720p"].recipe
    assert prediction.guessed_seconds(film, 10**9, 0.5, 2) == pytest.approx(
        10 * prediction.guessed_seconds(film, 10**8, 0.5, 2)
    )
    # Half a bit a pixel: 16,000 million pixels of 1080p are 7,716 pictures.
    seen = Source(codec="h264", pixels=HD, frames=16e9 / HD)
    guessed = prediction.guessed_seconds(film, 10**9, 0.5, 2)
    assert guessed == pytest.approx(prediction.seconds(seen, [encode()], 2))
    assert 60 < guessed < 240
    assert (
        prediction.guessed_seconds(Recipe(outputs=(AudioOutput(), PosterOutput())), 10**9, 0.5, 2)
        == 0
    )
    huge = Recipe(outputs=(VideoOutput(box=Box(width=8192, height=8192)),))
    full = Recipe(outputs=(VideoOutput(box=Box(width=1920, height=1080)),))
    assert prediction.guessed_seconds(huge, 10**9, 0.5, 2) == prediction.guessed_seconds(
        full, 10**9, 0.5, 2
    )


def test_photographs_are_opened_one_by_one_and_that_is_counted() -> None:
    video = VideoOutput(audio=None)
    film, lapse = Recipe(outputs=(video,)), Recipe(outputs=(video,), timelapse=Timelapse())
    source = Source(codec="h264", pixels=1280 * 720, frames=100)
    more = prediction.recipe_seconds(lapse, source, 1) - prediction.recipe_seconds(film, source, 1)
    assert more == pytest.approx(prediction.PHOTOGRAPH_MS / 10)
