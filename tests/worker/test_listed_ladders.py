"""What players of DASH and those that wind find in a ladder: the same pictures and the same sound
at the same times as a player of HLS, and under each name of a keyframe just that keyframe.
"""

import re
import subprocess
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest

from mayfly.contract.recipe import LadderOutput
from mayfly.core import ladders
from tests.matrix.decode import Seen, decoded
from tests.worker.climbing import FILMS, LADDER, climbed, named, shown, whole
from tests.worker.clips import Clips
from tests.worker.conftest import Rig

pytestmark = pytest.mark.worker

BOTH = msgspec.structs.replace(LADDER, manifests=("hls", "dash"))


def served(rig: Rig, master: Path, name: str) -> str:
    """One of a ladder's lists, on loopback beside all else of it."""
    folder = master.parent
    for path in folder.rglob("*.*"):
        rig.bucket.objects[f"played/{path.relative_to(folder)}"] = path.read_bytes()
    return rig.bucket.url(f"played/{name}").partition("?")[0]


def played(ffmpeg: Path, url: str, stream: str, *options: str) -> list[tuple[Fraction, str]]:
    """When each frame of a stream comes, and its hash."""
    said = subprocess.run(
        [str(ffmpeg), "-v", "error", "-nostdin", "-threads", "1", "-copyts", "-i", url,
         "-map", f"0:{stream}", *options, "-fps_mode:v", "passthrough",
         "-f", "framehash", "-hash", "murmur3", "-"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    (tick,) = re.findall(r"#tb 0: (.*)", said)
    rows = [line.split(",") for line in said.splitlines() if line[0] != "#"]
    return [(int(row[2]) * Fraction(tick), row[5].strip()) for row in rows]


@pytest.mark.parametrize("name", ["even.mp4", "silent.mkv", "film.flv", "late-sound.ts"])
def test_a_player_of_dash_gets_what_a_player_of_hls_gets(
    rig: Rig, made: Clips, ffmpeg: Path, tmp_path: Path, name: str
) -> None:
    """Of sound, ffmpeg's player of DASH drops the first packet of each segment but the first: it
    takes the edit list for one of that segment. It does so whoever packaged it; all other packets
    are at their times."""
    source = made.make(f"climbed-{name}", *FILMS[name][0]).read_bytes()
    _, master = climbed(rig, source, tmp_path, BOTH)
    manifest = served(rig, master, ladders.MANIFEST)
    for number, size in enumerate(shown(ffmpeg, master)):
        scaled = ("-vf", "scale=128:72:flags=bicubic,setsar=1,format=yuv420p")
        found = played(ffmpeg, manifest, f"v:{number}", *scaled)
        assert found == list(zip(size.times, size.hashes, strict=True))
    if "sine" not in " ".join(FILMS[name][0]):
        assert 'contentType="audio"' not in (master.parent / ladders.MANIFEST).read_text()
        return
    heard = played(ffmpeg, str(master.parent / "a0.m3u8"), "a:0")
    found = played(ffmpeg, manifest, "a:0")
    assert found[0] == heard[0] and heard[0][0] == 0
    lost = sorted(set(heard) - set(found))
    assert set(found) < set(heard)
    assert len(lost) == len(named(master.parent / "a0.m3u8")) - 1


def test_cut_or_whole_the_manifest_is_one_but_for_its_bandwidths(
    rig: Rig, made: Clips, tmp_path: Path
) -> None:
    source = made.make("climbed-film.flv", *FILMS["film.flv"][0]).read_bytes()
    _, cut = climbed(rig, source, tmp_path / "cut", BOTH)
    _, wanted = whole(rig, source, tmp_path / "whole", BOTH)
    texts = [(one.parent / ladders.MANIFEST).read_text() for one in (cut, wanted)]
    assert 'timescale="24000"' in texts[0] and 'd="48048" r="2"' in texts[0]
    bare = [re.sub(' bandwidth="[0-9]+"', "", text) for text in texts]
    assert bare[0] == bare[1] != texts[0]


# --- Keyframes ----------------------------------------------------------------------------------


def ranges(playlist: Path) -> list[tuple[Fraction, int, str]]:
    """How long each keyframe of a playlist lasts, and which bytes of which file it is."""
    return [
        (Fraction(length), int(size), name)
        for length, size, name in re.findall(
            r"#EXTINF:(.*),\n#EXT-X-BYTERANGE:(\d+)@0\n(.*)\n", playlist.read_text()
        )
    ]


def alone(ffmpeg: Path, folder: Path, size: int, name: str) -> Seen:
    """What a decoder sees that has a track's beginning and so many bytes of a segment."""
    beginning = (folder / name).parent / "init.mp4"
    kept = folder / "kept.mp4"
    kept.write_bytes(beginning.read_bytes() + (folder / name).read_bytes()[:size])
    return decoded(ffmpeg, kept, sound=None)


@pytest.mark.parametrize(
    ("name", "seconds"), [("even.mp4", 2), ("silent.mkv", 4), ("film.flv", 2), ("uneven.mkv", 3)]
)
def test_each_range_is_one_keyframe_whole(
    rig: Rig, made: Clips, ffmpeg: Path, tmp_path: Path, name: str, seconds: int
) -> None:
    """With one byte less it is a torn one."""
    ladder = msgspec.structs.replace(LADDER, segment_seconds=seconds, speed="veryfast")
    source = made.make(f"climbed-{name}", *FILMS[name][0]).read_bytes()
    _, master = climbed(rig, source, tmp_path, ladder)
    for size, playlist in zip(shown(ffmpeg, master), named(master), strict=True):
        keys = ranges(master.parent / playlist.replace(".m3u8", "-iframes.m3u8"))
        assert [file for _, _, file in keys] == named(master.parent / playlist)
        at = Fraction(0)
        for lasts, count, file in keys:
            seen = alone(ffmpeg, master.parent, count, file)
            number = round(at * (len(size.times) - 1) / size.times[-1])
            assert (seen.times, seen.hashes) == ((size.times[number],), (size.hashes[number],))
            assert alone(ffmpeg, master.parent, count - 1, file).hashes != seen.hashes
            at += lasts
        if name == "silent.mkv":
            assert keys[0][0] == Fraction("4.004")


def test_a_ladder_of_one_frame_has_that_for_its_keyframe(
    rig: Rig, made: Clips, ffmpeg: Path, tmp_path: Path
) -> None:
    source = made.silent("climbed-1.mp4", "-frames:v", "1").read_bytes()
    _, master = whole(rig, source, tmp_path, BOTH)
    ((_, size, file),) = ranges(master.parent / "v0-iframes.m3u8")
    assert size == (master.parent / file).stat().st_size
    text = (master.parent / ladders.MANIFEST).read_text()
    assert '<S t="0" d="512" />' in text and 'PresentationDuration="PT0.04S"' in text


# --- Which lists --------------------------------------------------------------------------------


def made_of(rig: Rig, made: Clips, folder: Path, ladder: LadderOutput) -> tuple[list[str], Path]:
    """What the outcome names, and the ladder's folder."""
    source = made.make("climbed-even.mp4", *FILMS["even.mp4"][0]).read_bytes()
    film, master = whole(rig, source, folder, ladder)
    outputs = film.brought["encode"].outputs
    first, *others = [one for one in outputs if one.file != ladders.PUBLISHED]
    files = [path for path in master.parent.rglob("*") if path.is_file()]
    assert (first.files, first.size_bytes) == (len(files), sum(p.stat().st_size for p in files))
    for other in others:
        path = folder / other.file
        assert (other.files, other.size_bytes) == (1, path.stat().st_size)
    kinds = [one.media.container for one in (first, *others)]
    assert kinds == list(ladder.manifests)
    return [one.file for one in (first, *others)], master.parent


def test_the_outcome_names_what_each_kind_of_player_opens(
    rig: Rig, made: Clips, tmp_path: Path
) -> None:
    files, _ = made_of(rig, made, tmp_path, BOTH)
    assert files == ["hls/master.m3u8", "hls/manifest.mpd"]


def test_for_players_of_dash_alone_no_playlist_is_written(
    rig: Rig, made: Clips, tmp_path: Path
) -> None:
    ladder = msgspec.structs.replace(LADDER, manifests=("dash",))
    files, folder = made_of(rig, made, tmp_path, ladder)
    assert files == ["hls/manifest.mpd"]
    assert not list(folder.rglob("*.m3u8"))
    forms = [body for body in rig.bucket.seen if b"manifest.mpd" in body.body]
    assert any(b"application/dash+xml" in one.body for one in forms)
