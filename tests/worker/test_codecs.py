"""Every codec in every file that holds it, made by the real worker, whole and cut: the same frames
at the same moments, the same sound to the sample, and nothing that the recipe did not name."""

import itertools
import subprocess
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from mayfly.contract import report
from mayfly.contract.formats import SOUND_FILES, VIDEO_FILES
from mayfly.contract.recipe import AudioOutput, Box, Sound, VideoOutput
from tests.matrix.decode import Seen, decoded
from tests.worker import climbing
from tests.worker.clips import Clips
from tests.worker.conftest import Rig
from tests.worker.cutting import Film
from worker import boxes
from worker.halt import Halt
from worker.made import Made, Measure
from worker.prober import Prober

pytestmark = pytest.mark.worker

SMALL = Box(width=160, height=90)
FILMS = [
    (codec, end) for end, kind in VIDEO_FILES.items() if end != ".m4v" for codec in kind.pictures
]
SOUNDS = [(codec, end) for end, kind in SOUND_FILES.items() for codec in kind.sounds]
#: 3.2 s at 30 a second, each second frame there, and some of the others; 140,001 samples.
UNEVEN = (
    "-f", "lavfi", "-i", "testsrc2=s=160x90:r=30:d=3.2",
    "-f", "lavfi", "-i", "anoisesrc=r=44100:a=0.2:seed=1:d=3.2",
    "-vf", "select='not(mod(n,2))+gt(random(1),0.6)'", "-af", "atrim=end_sample=140001",
    "-fps_mode", "passthrough", "-c:v", "libx264", "-preset", "veryfast", "-g", "20", "-bf", "2",
    "-c:a", "pcm_s16le", "-ac", "2",
)  # fmt: skip


@pytest.fixture
def uneven(made: Clips) -> bytes:
    return made.make("uneven-codecs.mkv", *UNEVEN).read_bytes()


def film(codec: str, end: str, **changed: Any) -> VideoOutput:
    quick: dict[str, Any] = {"box": SMALL, "speed": "ultrafast", "keyframe_seconds": 0.5}
    named = {"file": f"film{end}", "codec": codec}
    return VideoOutput(**{**quick, **named, **changed})


def both(
    rig: Rig, source: bytes, folder: Path, *outputs: VideoOutput | AudioOutput
) -> tuple[list[Path], list[Path], Film]:
    """What each output becomes when the source is cut, and when it is not."""
    cut = Film(rig, source, *outputs).work()
    last = cut.finish()
    assert isinstance(last, report.Encoded), last
    assert "every seam fits" in last.note, last.note
    sides = [_put(cut.stored("finish"), folder / "cut")]
    film, _ = climbing.whole(rig, source, folder, *outputs)
    sides.append(_put(film.stored("encode"), folder / "whole"))
    return ([sides[0][one.file] for one in outputs], [sides[1][one.file] for one in outputs], cut)


def _put(files: dict[str, bytes], folder: Path) -> dict[str, Path]:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return {name: folder / name for name in files}


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("codec", "end"), FILMS)
def test_cut_or_whole_a_film_has_the_same_frames_at_the_same_moments(
    codec: str, end: str, rig: Rig, uneven: bytes, tmp_path: Path, ffmpeg: Path
) -> None:
    """Lossless ones show that not a bit differs; the others make B-frames and hidden frames."""
    outputs = film(codec, end, crf=0), film(codec, end, file=f"lossy{end}")
    cut, whole, _ = both(rig, uneven, tmp_path, *outputs)
    source = tmp_path / "source"
    source.write_bytes(uneven)
    wanted = decoded(ffmpeg, source)
    seen = [decoded(ffmpeg, path) for path in (*cut, *whole)]
    for one in seen:
        assert one.times == wanted.times
    assert seen[0].hashes == seen[2].hashes == wanted.hashes
    for one, other in ((seen[0], seen[2]), (seen[1], seen[3])):
        assert _sound(one) == _sound(other)
    assert seen[0].sound_start == seen[0].times[0] == 0


def _sound(seen: Seen) -> tuple[object, ...]:
    return seen.samples, seen.rate_hz, seen.sound_start


@pytest.mark.timeout(300)
def test_every_sound_in_a_film_is_exact_where_its_file_has_a_word_for_the_end(
    rig: Rig, uneven: bytes, tmp_path: Path
) -> None:
    pairs = [(end, codec) for end in (".mp4", ".mkv") for codec in VIDEO_FILES[end].sounds]
    outputs = [
        film("h264", end, file=f"{codec}{end}", audio=Sound(codec=codec)) for end, codec in pairs
    ]
    cut, whole, _ = both(rig, uneven, tmp_path, *outputs)
    for output, one, other in zip(outputs, cut, whole, strict=True):
        assert output.audio is not None
        wanted = 140_001 if output.audio.codec != "opus" else -(-140_001 * 480 // 441)
        for path in (one, other):
            (found,) = measured(rig, path, output).sounds
            assert found.begins == 0
            assert found.samples is not None
            assert found.padding_max == (1023 if output.file == "aac.mkv" else 0)
            assert 0 <= found.samples - wanted <= found.padding_max, output.file


@pytest.mark.timeout(300)
def test_every_file_of_sound_alone_is_exact(
    rig: Rig, uneven: bytes, tmp_path: Path, ffmpeg: Path
) -> None:
    sounds = [AudioOutput(file=f"{c}{end}", audio=Sound(codec=c)) for c, end in SOUNDS]
    cut, whole, _ = both(rig, uneven, tmp_path, film("h264", ".mp4", audio=None), *sounds)
    source = tmp_path / "source"
    source.write_bytes(uneven)
    wanted = heard(ffmpeg, source)
    for output, one, other in zip(sounds, cut[1:], whole[1:], strict=True):
        codec = output.audio.codec
        samples = 140_001 if codec != "opus" else -(-140_001 * 480 // 441)
        found = [measured(rig, path, output).sounds[0] for path in (one, other)]
        assert 0 <= (found[0].samples or 0) - samples <= found[0].padding_max, output.file
        assert found[0].samples == found[1].samples
        assert one.read_bytes() == other.read_bytes(), output.file
        if codec == "flac":
            assert heard(ffmpeg, one) == wanted


def heard(ffmpeg: Path, path: Path) -> bytes:
    """The samples of its sound."""
    command = [str(ffmpeg), "-v", "error", "-i", str(path), "-map", "0:a", "-f", "s16le", "-"]
    return subprocess.run(command, check=True, capture_output=True).stdout


def measured(rig: Rig, path: Path, output: VideoOutput | AudioOutput) -> Made:
    measure = Measure(prober=Prober(rig.settings.ffprobe), folder=path.parent, halt=Halt())
    return measure.made(output.file, path.name, output.holds)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "vp9"])
def test_ten_bits_in_fragments_and_larger_than_the_source(
    codec: str, rig: Rig, uneven: bytes, tmp_path: Path, ffmpeg: Path
) -> None:
    large = Box(width=240, height=200)
    crf = 0 if codec != "av1" else 30  # which loses nothing in 8 bits only
    output = film(codec, ".mp4", bits=10, fragmented=True, enlarge=True, box=large, crf=crf)
    (cut,), (whole,), _ = both(rig, uneven, tmp_path, output)
    picture = measured(rig, cut, output).probe.picture()
    assert picture is not None
    assert (picture.width, picture.height, picture.pix_fmt) == (240, 136, "yuv420p10le")
    kinds = [box.kind for box in boxes.boxes(cut)]
    assert kinds[:3] == [b"ftyp", b"moov", b"sidx"]
    assert kinds.count(b"moof") > 3
    seen, wanted = decoded(ffmpeg, cut), decoded(ffmpeg, whole)
    assert (seen.times, _sound(seen)) == (wanted.times, _sound(wanted))
    assert crf or seen.hashes == wanted.hashes


@pytest.mark.timeout(300)
@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "vp9"])
def test_a_keyframe_is_where_it_was_forced_and_each_making_gives_the_same_bytes(
    codec: str, rig: Rig, uneven: bytes, tmp_path: Path
) -> None:
    """The distance in frames would come later: of 30 a second that the source names, a third is
    not there."""
    end = ".mkv" if codec != "vp9" else ".webm"
    output = film(codec, end, audio=None)
    made = [
        climbing.whole(rig, uneven, tmp_path, output)[0].stored("encode")[output.file]
        for _ in range(2)
    ]
    assert made[0] == made[1]
    path = tmp_path / output.file
    path.write_bytes(made[0])
    prober, halt = Prober(rig.settings.ffprobe), Halt()
    probe = prober.probe(output.file, folder=tmp_path, halt=halt)
    scan = prober.scan(output.file, probe, folder=tmp_path, halt=halt)
    assert len(scan.key_ticks) > 5
    gaps = (float((b - a) * scan.tick) for a, b in itertools.pairwise(scan.key_ticks))
    assert max(gaps) < 0.5 + 2 / 30 + 0.002


NOISE = (
    "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=6,noise=alls=20:allf=t",
    "-c:v", "libx264", "-preset", "ultrafast", "-crf", "12", "-g", "25", "-pix_fmt", "yuv420p",
)  # fmt: skip


@pytest.mark.timeout(300)
@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "vp9"])
def test_an_average_and_a_cap_are_kept_in_every_chunk(
    codec: str, rig: Rig, made: Clips, tmp_path: Path
) -> None:
    """The same in the film, whole and cut: chunks of a second each have the average of their own,
    and a second is short for one."""
    source = made.make("noise-codecs.mp4", *NOISE).read_bytes()
    plain = film(codec, ".mp4", audio=None, speed="veryfast", keyframe_seconds=2)
    kbps = 150
    average = replace(plain, file="average.mp4", bitrate_kbps=kbps)
    capped = replace(plain, file="capped.mp4", crf=20, maxrate_kbps=kbps)
    free = replace(plain, file="free.mp4", crf=20)
    film_ = Film(rig, source, average, capped, free, chunk_seconds=3).work()
    last = film_.finish()
    assert isinstance(last, report.Encoded), last
    sides = (
        film_.stored("finish"),
        climbing.whole(rig, source, tmp_path, average, capped, free)[0].stored("encode"),
    )
    for side in sides:
        rates = {name: len(content) * 8 / 6 / 1000 for name, content in side.items()}
        assert 0.6 * kbps < rates["average.mp4"] < 1.6 * kbps, rates
        assert rates["capped.mp4"] < 1.5 * kbps, rates
        assert rates["free.mp4"] > 1.5 * kbps, rates
