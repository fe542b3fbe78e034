"""What a finish doubts is made once more from further back; what still does not fit, as if the
source had never been cut. Either way every frame is delivered, and the outcome says how.
"""

from pathlib import Path

import pytest

from mayfly.contract import report
from mayfly.contract.recipe import AudioOutput, Box, PosterOutput, VideoOutput
from tests.worker.clips import Clips
from tests.worker.conftest import Rig
from tests.worker.cutting import Film
from tests.worker.listing import closed, opened
from worker import boxes
from worker.compile_parts import PACKETS

pytestmark = pytest.mark.worker

VIDEO = VideoOutput(speed="ultrafast", box=Box(width=64, height=64))
_FILM = ("-f", "lavfi", "-i", "testsrc2=s=64x64:r=12:d=6")
_SOUND = ("-f", "lavfi", "-i", "sine=d=6", "-c:a", "aac")
_H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "12")


def a_film(rig: Rig, made: Clips) -> Film:
    source = made.make("good.mp4", *_FILM, *_SOUND, *_H264).read_bytes()
    outputs = (VIDEO, AudioOutput(), PosterOutput(at_fraction=0.5))
    return Film(rig, source, *outputs, chunk_seconds=2).work()


def delivered(said: report.Report) -> report.Encoded:
    assert isinstance(said, report.Encoded), said
    assert [output.file for output in said.outputs] == ["video.mp4", "audio.m4a", "poster.jpg"]
    assert said.outputs[0].media.frames == 72
    return said


def test_a_chunk_that_does_not_fit_is_made_once_more_from_further_back(
    rig: Rig, made: Clips
) -> None:
    film = a_film(rig, made)
    wanted = delivered(film.finish())
    negative = (*_FILM[:-1], _FILM[-1] + ",negate")
    other = made.make("bad.mp4", *negative, *_SOUND, *_H264).read_bytes()
    film.source, source = other, film.source
    assert isinstance(film.do(film.part(1 + film.plan.audio_tracks)), report.Encoded)
    film.source = source
    said = delivered(film.finish())
    assert "Made once more, from further back: chunks 1, 2." in said.note
    assert said.proof is not None and said.proof.made_anew == (1, 2)
    # The same work again gives the same bytes.
    assert said.outputs[0].sha256 == wanted.outputs[0].sha256


def test_a_chunk_that_is_not_as_stored_is_made_once_more(rig: Rig, made: Clips) -> None:
    film = a_film(rig, made)
    key = next(a.key for a in film.brought["chunk-00001"].outputs if a.file == "video.mp4")
    film.rig.bucket.objects[key] = bytes(len(film.rig.bucket.objects[key]))
    said = delivered(film.finish())
    assert "Made once more, from further back: chunks 1." in said.note


def test_what_nobody_can_mend_is_encoded_as_if_it_had_never_been_cut(
    rig: Rig, made: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = a_film(rig, made)
    monkeypatch.setattr(boxes, "astray", lambda *_: "all is askew")
    said = delivered(film.finish())
    why = "its chunks do not fit: video.mp4, joined: all is askew"
    assert said.proof == report.Proof(frames=72, samples=264_600, whole_because=why)
    assert not list((Path(rig.settings.scratch) / "attempt").glob("in/*")), "nothing is left over"
    assert said.note == "Encoded whole, for its chunks do not fit: video.mp4, joined: all is askew."


def test_a_chunk_that_fits_no_better_the_second_time_makes_the_source_one(
    rig: Rig, made: Clips
) -> None:
    """The list of packets is wrong, so no chunk can ever fit it."""
    film = a_film(rig, made)
    inputs = film.inputs()
    (at,) = (n for n, part in enumerate(inputs) if part.file == PACKETS)
    key = film.brought["audio-0"].outputs[-1].key
    lines = opened(film.rig.bucket.objects[key])
    inputs[at] = film.falsified(inputs[at], closed([*lines[:30], *lines[31:]]))
    said = delivered(film.finish(inputs))
    assert said.note.startswith("Encoded whole, for its chunks do not fit: chunk 1 ")
