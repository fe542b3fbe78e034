"""One command makes of a clip a ladder that players of both kinds play to its end: cut, on two
workers.
"""

import json
import subprocess
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from console import main
from local import standing
from local.tools import ffmpeg_path, ffprobe_path
from tests.e2e.conftest import Film

pytestmark = pytest.mark.timeout(240)

SECONDS, RATE = 13, 24
_HASHED = ("-f", "framehash", "-hash", "murmur3", "-")


def program(path: Path, *words: str) -> str:
    """What ffmpeg or ffprobe says, and that it found nothing wrong."""
    command = [str(path), "-v", "warning", *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def played(master: Path) -> dict[str, int]:
    """How many frames a decode to the end gives, by kind of track. All tracks, for of one that is
    left out ffmpeg says that it is broken, whoever made it."""
    said = program(ffmpeg_path(), "-i", str(master), "-map", "0", *_HASHED).splitlines()
    kinds = {line.split()[1]: line.split()[2] for line in said if line.startswith("#media_type")}
    counts = Counter(line.split(",")[0] + ":" for line in said if line[0] != "#")
    return {kind: counts[number] for number, kind in kinds.items()}


def seconds_of(playlist: Path) -> Fraction:
    """How long it says that it plays."""
    told = playlist.read_text().splitlines()
    return sum((Fraction(line[8:-1]) for line in told if line.startswith("#EXTINF")), Fraction(0))


def test_a_clip_becomes_a_ladder_that_plays_to_its_end(
    film: Film, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "home", lambda: tmp_path / "standing")
    clip = film(seconds=SECONDS, rate=RATE, seed=70)
    out = tmp_path / "out"
    words = [
        "--preset",
        "web-hls-dash",
        "--chunk-seconds",
        "4",
        "--workers",
        "2",
        "--out",
        str(out),
    ]
    result = CliRunner().invoke(main.app, ["local", "encode", str(clip), *words, "--json"])
    assert result.exit_code == 0, result.output
    said: dict[str, Any] = json.loads(result.stdout)

    output, listed = said["outcome"]["outputs"]
    frames = SECONDS * RATE
    assert said["outcome"]["note"].startswith(f"Encoded in 4 chunks; each of {frames} frames")
    assert (output["file"], listed["file"]) == ("stream/master.m3u8", "stream/manifest.mpd")
    master, manifest = out / "stream" / "master.m3u8", out / "stream" / "manifest.mpd"
    assert said["files"] == [str(master), str(manifest)]
    there = [path for path in master.parent.rglob("*") if path.is_file()]
    assert output["files"] == len(there)
    assert output["size_bytes"] == sum(path.stat().st_size for path in there)
    assert output["media"]["frames"] == frames

    counts = played(master)
    assert counts["video"] == frames
    assert counts["audio"] >= SECONDS * 44_100 // 1024
    sizes = [line for line in master.read_text().splitlines() if line.endswith(".m3u8")]
    assert len(sizes) == 1, "no size above the clip's"
    for size in sizes:
        assert seconds_of(master.parent / size) == SECONDS
    assert seconds_of(master.parent / "a0.m3u8") >= SECONDS
    assert played(manifest)["video"] == frames
    # From within the last chunk on.
    late = program(
        ffmpeg_path(), "-v", "error", "-ss", "12.5", "-i", str(master.parent / sizes[0]), *_HASHED
    )
    assert sum(line[0] != "#" for line in late.splitlines()) == RATE // 2
    seen = program(
        ffprobe_path(), "-show_entries", "stream=codec_name", "-of", "csv=p=0", str(master)
    )
    assert {"h264", "aac"} <= set(seen.split())
