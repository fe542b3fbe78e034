"""Colours, with the real ffmpeg: high dynamic range becomes what every screen shows, or stays what
it is and says so; nothing else is changed, and nothing is said that nobody knows."""

import json
import math
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mayfly.contract import report
from mayfly.contract.recipe import (
    Box,
    LadderOutput,
    PosterOutput,
    Recipe,
    Rung,
    StoryboardOutput,
    VideoOutput,
)
from mayfly.contract.wire import Refusal, convert
from tests.worker.clips import Clips
from tests.worker.conftest import Rig, kinds
from tests.worker.cutting import Film, unmended
from worker import preflight
from worker.colour import Colour, graded
from worker.ends import WorkFailed
from worker.probe import Format, Probe, SideData, Stream

pytestmark = pytest.mark.worker

BOX = Box(width=96, height=64)
FILM = VideoOutput(speed="ultrafast", crf=10, box=BOX, audio=None)
KEPT = VideoOutput(
    file="kept.mp4", codec="hevc", bits=10, hdr="keep", speed="ultrafast", box=BOX, audio=None
)
#: Of both transfers, in candela a square metre: black, a grey card, a face, white, a lamp.
NITS = (0.0, 26.0, 60.0, 203.0, 800.0)
_MASTERED = (
    "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
    ":max-cll=1000,400"
)


def pq(nits: float) -> float:
    """SMPTE ST 2084."""
    y = float((nits / 10000) ** (2610 / 16384))
    return float(((3424 / 4096 + 2413 / 128 * y) / (1 + 2392 / 128 * y)) ** (2523 / 32))


def hlg(nits: float) -> float:
    """ITU-R BT.2100 on a screen of 1000 cd/m2, for grey."""
    e = float((nits / 1000) ** (1 / 1.2))
    if e <= 1 / 12:
        return math.sqrt(3 * e)
    return 0.17883277 * math.log(12 * e - 0.28466892) + 0.55991073


def expected_luma(nits: float) -> float:
    """Of eight bits: pressed by a curve that leaves what is dark alone (Moebius, from 0.3 on), by
    formulas that are not ffmpeg's."""
    x, j, peak = nits / 100, 0.3, 10.0
    if x > j:
        a = -j * j * (peak - 1) / (j * j - 2 * j + peak)
        b = (j * j - 2 * j * peak + peak) / max(peak - 1, 1e-6)
        x = (b * b + 2 * b * j + j * j) / (b - a) * (x + a) / (x + b)
    return 16 + 219 * float(x ** (1 / 2.4))  # as a screen shows it (BT.1886)


def hdr(made: Clips, transfer: str, seconds: int = 1) -> Path:
    """Five bars of grey in ten bits."""
    code = {"smpte2084": pq, "arib-std-b67": hlg}[transfer]
    levels = [round(64 + 876 * code(nits)) for nits in NITS]
    luma = "+".join(
        f"{level}*eq(floor(X*{len(levels)}/W),{number})" for number, level in enumerate(levels)
    )
    return made.make(
        f"{transfer}-{seconds}.mp4",
        "-f", "lavfi", "-i", f"color=s=160x96:r=25:d={seconds}",
        "-vf", f"format=yuv420p10le,geq=lum='{luma}':cb=512:cr=512,setparams="
        f"color_primaries=bt2020:color_trc={transfer}:colorspace=bt2020nc:range=tv",
        "-c:v", "libx265", "-preset", "ultrafast", "-g", "10",
        "-x265-params", f"log-level=none:{_MASTERED}", "-crf", "4",
    )  # fmt: skip


def _number(word: object) -> float:
    """To a part in ten thousand of what is usual."""
    above, _, below = str(word).partition("/")
    return round(float(above) / float(below or 1), 4)


class Looking:
    """What a file is, by the tools themselves."""

    def __init__(self, ffmpeg: Path, ffprobe: Path) -> None:
        self.ffmpeg, self.ffprobe = ffmpeg, ffprobe

    def tags(self, path: Path) -> tuple[str, ...]:
        """Primaries, transfer, matrix, range, format of pixels."""
        (stream,) = self._asked(path, "-show_entries", "stream")["streams"]
        names = ("color_primaries", "color_transfer", "color_space", "color_range", "pix_fmt")
        return tuple(stream.get(name, "") for name in names)

    def side_data(self, path: Path) -> list[Any]:
        """What is said of the screen, of the first frame or, where this decoder cannot, of all."""
        asked = ("-show_streams", "-show_frames", "-read_intervals", "%+#1")
        seen = self._asked(path, *asked)
        beside = [*seen["streams"], *seen["frames"]]
        found = [one for its in beside for one in its.get("side_data_list", ())]
        kept = [
            {name: _number(word) for name, word in one.items() if name != "side_data_type"}
            for one in found
            if "max_luminance" in one or "max_content" in one
        ]
        return [one for number, one in enumerate(kept) if one not in kept[:number]]

    def shown(self, path: Path) -> str:
        """What `showinfo` says of the first frame: this ffprobe decodes no AV1."""
        line = [str(self.ffmpeg), "-i", str(path), "-vf", "showinfo", "-frames:v", "1"]
        ran = subprocess.run([*line, "-f", "null", "-"], check=True, capture_output=True, text=True)
        return ran.stderr

    def bars(self, path: Path) -> list[float]:
        """The mean luma of the middle of each bar, of all frames."""
        means = []
        for number in range(len(NITS)):
            crop = f"crop=iw/{2 * len(NITS)}:ih/2:iw*({number}+0.25)/{len(NITS)}:ih/4"
            means.append(self.mean(path, crop)[0])
        return means

    def mean(self, path: Path, crop: str = "null") -> tuple[float, float, float]:
        """Of luma and both colours, by `signalstats`."""
        printed = subprocess.run(
            [str(self.ffmpeg), "-v", "error", "-i", str(path), "-vf",
             f"{crop},signalstats,metadata=print:file=-", "-f", "null", "-"],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        found = []
        for name in ("YAVG", "UAVG", "VAVG"):
            words = [w for w in printed.split() if w.startswith(f"lavfi.signalstats.{name}=")]
            found.append(sum(float(w.partition("=")[2]) for w in words) / len(words))
        return found[0], found[1], found[2]

    def _asked(self, path: Path, *words: str) -> Any:
        line = [str(self.ffprobe), "-v", "error", *words, "-of", "json", str(path)]
        return json.loads(subprocess.run(line, check=True, capture_output=True).stdout)


@pytest.fixture
def looking(ffmpeg: Path, ffprobe: Path) -> Looking:
    return Looking(ffmpeg, ffprobe)


def done(rig: Rig, source: bytes, folder: Path, *outputs: Any) -> dict[str, Path]:
    """The files of a whole run."""
    film = Film(rig, source, *outputs, chunk_seconds=3600)
    said = film.begin()
    assert kinds(said)[-1] == "Encoded", said
    return written(film, "encode", folder)


def written(film: Film, task_id: str, folder: Path) -> dict[str, Path]:
    found = {}
    for name, content in film.stored(task_id).items():
        found[name] = folder / f"{task_id}-{Path(name).name}"
        found[name].write_bytes(content)
    return found


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_high_dynamic_range_becomes_what_every_screen_shows(
    transfer: str, rig: Rig, made: Clips, looking: Looking, tmp_path: Path
) -> None:
    poster = PosterOutput(box=BOX, quality=2)
    source = hdr(made, transfer)
    assert looking.tags(source)[1] == transfer
    files = done(rig, source.read_bytes(), tmp_path, FILM, poster)

    assert looking.tags(files["video.mp4"]) == ("bt709", "bt709", "bt709", "tv", "yuv420p")
    assert looking.side_data(files["video.mp4"]) == []
    wanted = [expected_luma(nits) for nits in NITS]
    assert looking.bars(files["video.mp4"]) == pytest.approx(wanted, abs=2)
    # Not washed out: black is black, a grey card is in the middle, white is nearly the brightest.
    black, card, face, white, lamp = looking.bars(files["video.mp4"])
    assert black < 18 and 110 < card < face < 190 < white < lamp <= 236
    # A still counts from 0 to 255.
    full = [(luma - 16) * 255 / 219 for luma in wanted]
    assert looking.bars(files["poster.jpg"]) == pytest.approx(full, abs=3)


SAID = [
    {"red_x": 0.68, "red_y": 0.32, "green_x": 0.265, "green_y": 0.69, "blue_x": 0.15,
     "blue_y": 0.06, "white_point_x": 0.3127, "white_point_y": 0.329, "min_luminance": 0.0001,
     "max_luminance": 1000.0},
    {"max_content": 1000.0, "max_average": 400.0},
]  # fmt: skip


@pytest.mark.parametrize(
    ("codec", "file"), [("hevc", "kept.mp4"), ("hevc", "kept.mkv"), ("av1", "kept.mp4"),
                        ("vp9", "kept.webm"), ("vp9", "kept.mp4")],
)  # fmt: skip
def test_a_film_may_keep_its_range_and_says_so(
    codec: Any, file: str, rig: Rig, made: Clips, looking: Looking, tmp_path: Path
) -> None:
    source = hdr(made, "smpte2084")
    kept = msgspec.structs.replace(KEPT, codec=codec, file=file)
    files = done(rig, source.read_bytes(), tmp_path, FILM, PosterOutput(box=BOX), kept)
    assert looking.tags(files[file]) == ("bt2020", "smpte2084", "bt2020nc", "tv", "yuv420p10le")
    assert looking.tags(files["video.mp4"])[1] == "bt709"
    assert sorted(map(str, looking.side_data(source))) == sorted(map(str, SAID))
    if codec == "av1":
        assert "Mastering display metadata" in looking.shown(files[file])
        assert "MaxCLL=1000, MaxFALL=400" in looking.shown(files[file])
    else:
        assert looking.side_data(files[file]) == ([] if codec == "vp9" else SAID)
    assert looking.side_data(files["video.mp4"]) == []
    assert looking.bars(files[file]) == pytest.approx(looking.bars(source), abs=4)


def test_chunks_have_the_colours_of_the_whole(
    rig: Rig, made: Clips, looking: Looking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unmended(monkeypatch)
    source = hdr(made, "smpte2084", seconds=4)
    board = StoryboardOutput(every_seconds=1, box=BOX)
    ladder = LadderOutput(rungs=(Rung(box=BOX),), speed="ultrafast", segment_seconds=2, audio=None)
    film = Film(rig, source.read_bytes(), KEPT, FILM, board, ladder).work()
    last = film.finish()
    assert isinstance(last, report.Encoded), last
    assert film.plan.chunks > 1
    files = written(film, "finish", tmp_path)
    one = done(rig, source.read_bytes(), tmp_path, KEPT, FILM, board)

    assert looking.side_data(files["kept.mp4"]) == SAID
    for name in ("video.mp4", "kept.mp4"):
        assert looking.tags(files[name]) == looking.tags(one[name])
        assert looking.side_data(files[name]) == looking.side_data(one[name])
        assert looking.bars(files[name]) == pytest.approx(looking.bars(one[name]), abs=2)
    objects = rig.bucket.objects
    inits = [key for key in objects if key.endswith("init.mp4")]
    segment = next(key for key in objects if key.endswith(".m4s"))
    joined = tmp_path / "segment.mp4"
    joined.write_bytes(objects[inits[0]] + objects[segment])
    assert looking.tags(joined)[:3] == ("bt709", "bt709", "bt709")
    wanted = [expected_luma(nits) for nits in NITS]
    assert looking.bars(joined) == pytest.approx(wanted, abs=2)


@pytest.mark.parametrize(
    ("said", "size", "tags"),
    [
        ("bt709:bt709:bt709", "320x180", ("bt709", "bt709", "bt709")),
        ("smpte170m:smpte170m:smpte170m", "320x240", ("smpte170m", "smpte170m", "smpte170m")),
        ("bt470bg:bt709:bt470bg", "1280x720", ("bt470bg", "bt709", "bt470bg")),
        ("bt2020:bt2020-10:bt2020nc", "1280x720", ("bt2020", "bt2020-10", "bt2020nc")),
        ("unknown:unknown:unknown", "1280x720", ("bt709", "bt709", "bt709")),
        ("unknown:unknown:unknown", "320x180", ("", "", "")),
    ],
)
def test_standard_range_keeps_what_its_source_says(
    said: str, size: str, tags: tuple[str, ...], rig: Rig, made: Clips, looking: Looking,
    tmp_path: Path,
) -> None:  # fmt: skip
    primaries, transfer, matrix = said.split(":")
    source = made.make(
        f"said-{primaries}-{transfer}-{size}.mp4",
        "-f", "lavfi", "-i", f"testsrc2=s={size}:r=25:d=0.2", "-vf", "format=yuv420p,setparams="
        f"color_primaries={primaries}:color_trc={transfer}:colorspace={matrix}",
        "-c:v", "libx264", "-preset", "ultrafast", "-qp", "10",
    )  # fmt: skip
    files = done(rig, source.read_bytes(), tmp_path, FILM)
    assert looking.tags(files["video.mp4"])[:3] == tags
    before, after = looking.mean(source), looking.mean(files["video.mp4"])
    assert after == pytest.approx(before, abs=1.5), "no sample was converted"


def test_a_screen_of_red_green_and_blue_becomes_television(
    rig: Rig, made: Clips, looking: Looking, tmp_path: Path
) -> None:
    source = made.make(
        "red.mkv", "-f", "lavfi", "-i", "color=c=red:s=320x180:r=25:d=0.2", "-pix_fmt", "gbrp",
        "-c:v", "ffv1",
    )  # fmt: skip
    files = done(rig, source.read_bytes(), tmp_path, FILM, PosterOutput(box=BOX, quality=2))
    assert looking.tags(files["video.mp4"])[2:4] == ("bt709", "tv")
    assert looking.mean(files["video.mp4"]) == pytest.approx((63, 102, 240), abs=2), "BT.709's red"
    assert looking.mean(files["poster.jpg"]) == pytest.approx((76, 85, 255), abs=2), "JPEG's red"


def test_a_still_of_television_is_by_the_numbers_of_jpeg(
    rig: Rig, made: Clips, looking: Looking, tmp_path: Path
) -> None:
    """Who shows a JPEG takes its colours for BT.601's, whatever the film's were."""
    source = made.make(
        "red-709.mp4", "-f", "lavfi", "-i", "color=c=red:s=320x180:r=25:d=0.2",
        "-vf", "scale=out_color_matrix=bt709,format=yuv420p,setparams=colorspace=bt709",
        "-c:v", "libx264", "-qp", "1",
    )  # fmt: skip
    files = done(rig, source.read_bytes(), tmp_path, PosterOutput(box=BOX, quality=2))
    assert looking.mean(files["poster.jpg"]) == pytest.approx((76, 85, 255), abs=2)


@pytest.mark.parametrize(
    ("fields", "word"),
    [({"codec": "h264", "bits": 10}, "hevc, av1 or vp9"), ({"codec": "hevc"}, "10 bits")],
)
def test_what_cannot_hold_a_high_range_refuses_to_keep_it(
    fields: dict[str, Any], word: str
) -> None:
    with pytest.raises(Refusal, match=word):
        convert(Recipe, {"outputs": [{"kind": "video", "hdr": "keep", **fields}]})


def stream(**said: Any) -> Stream:
    return Stream(**{"index": 0, "codec_type": "video", "codec_name": "hevc", "width": 1920,
                     "height": 1080, **said})  # fmt: skip


def test_words_that_no_filter_knows_never_reach_one() -> None:
    """What a file says of its high range is taken for what such files are, where it is strange."""
    said = {"color_transfer": "smpte2084", "color_primaries": "a:b", "color_space": "c"}
    grading = graded(stream(**said))
    assert grading.tonemapped
    assert grading.source == Colour(primaries="bt2020", transfer="smpte2084", matrix="bt2020nc")
    assert graded(stream(**said), keep=True).told == grading.source


def test_dolbys_own_colours_are_refused() -> None:
    picture = stream(side_data_list=(SideData(dv_profile=5),))
    with pytest.raises(WorkFailed) as refused:
        preflight.check_probe(
            Probe(format=Format(), streams=(picture,)), Recipe(outputs=(VideoOutput(),))
        )
    assert refused.value.code == "hdr_refused"
    held = stream(side_data_list=(SideData(rotation=90.0), SideData(dv_profile=8)))
    preflight.check_probe(Probe(format=Format(), streams=(held,)), Recipe(outputs=(VideoOutput(),)))


def test_luma_that_is_called_red_green_and_blue_is_luma() -> None:
    """FLV says it of every VP9: converted as if it were, each pixel came out in another colour."""
    stream = Stream(index=0, width=128, height=72, pix_fmt="yuv420p", color_space="gbr")
    found = graded(stream)
    assert (found.rgb, found.tonemapped, found.wanted.matrix) == (False, False, "")
    assert found.told.matrix == "smpte170m"
    large = msgspec.structs.replace(stream, width=1920, height=1080)
    assert (graded(large).rgb, graded(large).told.matrix) == (False, "bt709")
