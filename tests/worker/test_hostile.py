"""Sources made to hurt: each is refused, nothing else is fetched, and limits hold."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from mayfly.contract import report
from tests.worker import reads, references, store
from tests.worker.clips import Clips
from tests.worker.conftest import Rig
from worker import loopback, opening
from worker.encode import Encoding
from worker.ends import WorkFailed
from worker.halt import Halt
from worker.prober import Prober
from worker.run import Bounds, run

pytestmark = pytest.mark.worker


@pytest.fixture
def bait(made: Clips) -> Iterator[store.Store]:
    """A server that a source wants to be fetched from. It must never be asked."""
    segment = made.make("segment.ts", "-i", str(made.plain()), "-c", "copy")
    with store.running() as running:
        running.objects["segment.ts"] = segment.read_bytes()
        yield running
        assert running.seen == []


def playlists(url: str) -> dict[str, str]:
    hls = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{url}\n#EXT-X-ENDLIST\n"
    dash = (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT2S" profiles="urn:mpeg:dash:profile:isoff-main:2011">'
        f"<Period><AdaptationSet mimeType='video/mp4'><Representation id='1' bandwidth='1'>"
        f"<BaseURL>{url}</BaseURL></Representation></AdaptationSet></Period></MPD>"
    )
    return {
        "hls": hls,
        "hls with a mark": "\ufeff" + hls,
        "hls after blanks": "\n \n" + hls,
        "concat": f"ffconcat version 1.0\nfile '{url}'\n",
        "dash": dash,
        "pls": f"[playlist]\nFile1={url}\nNumberOfEntries=1\n",
    }


@pytest.mark.parametrize("name", playlists(""))
def test_a_playlist_is_refused_and_what_it_names_is_never_fetched(
    rig: Rig, bait: store.Store, name: str
) -> None:
    rig.put(rig.task(playlists(bait.url("segment.ts"))[name].encode()))
    last = rig.run_once()[-1]
    assert isinstance(last, report.Failed)
    assert last.code == "playlist_refused"
    assert rig.jobs.depth().in_flight == 0


@pytest.mark.parametrize(
    "content",
    [
        *playlists("URL").values(),
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n",
        "file 'segment.ts'\n",
        "<SmoothStreamingMedia MajorVersion='2'><x u='URL'/></SmoothStreamingMedia>",
        ";FFMETADATA1\ntitle=x\n",
        "1\n00:00:00,000 --> 00:00:01,000\nA subtitle.\n",
        "%PDF-1.7\n",
        "\x89PNG\r\n\x1a\n",
        "<svg xmlns='http://www.w3.org/2000/svg'><image href='URL'/></svg>",
    ],
)
def test_no_demuxer_that_follows_or_guesses_is_let_at_a_source(
    bait: store.Store, tmp_path: Path, ffprobe: Path, content: str
) -> None:
    """Even where our own look at the first bytes missed it."""
    (tmp_path / "source").write_text(content.replace("URL", bait.url("segment.ts")))
    with pytest.raises(WorkFailed) as failure:
        Prober(str(ffprobe)).probe("source", folder=tmp_path, halt=Halt())
    assert failure.value.code == "not_media"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """What the loopback is asked for."""
    paths: set[str] = set()
    answer = loopback._Handler._answer

    def noting(handler: loopback._Handler, *, with_body: bool) -> None:
        paths.add(handler.path)
        answer(handler, with_body=with_body)

    monkeypatch.setattr(loopback._Handler, "_answer", noting)
    return paths


@pytest.mark.parametrize("name", playlists(""))
def test_a_playlist_that_comes_through_the_loopback_is_not_followed(
    bucket: store.Store,
    bait: store.Store,
    asked: set[str],
    ffprobe: Path,
    tmp_path: Path,
    name: str,
) -> None:
    """Where HTTP is a protocol that ffmpeg may use, and nobody looks at the first bytes."""
    bucket.objects["a"] = playlists(bait.url("segment.ts"))[name].encode()
    with loopback.serving(reads.ranges(reads.held(bucket.url("a")))) as served:
        opened = opening.of_loopback(served.url, served.check)
        with pytest.raises(WorkFailed) as failure:
            Prober(str(ffprobe)).look(opened, folder=tmp_path, halt=Halt())
    assert failure.value.code == "not_media"
    assert asked == {served.path}


@pytest.mark.parametrize("let", [False, True])
def test_samples_that_lie_elsewhere_are_not_fetched(
    bucket: store.Store, asked: set[str], made: Clips, ffmpeg: Path, tmp_path: Path, let: bool
) -> None:
    """And would be, if nobody had seen to it: else this would show nothing."""
    late = made.make("late.mp4", "-i", str(made.plain()), "-c", "copy")
    bucket.objects["a"] = references.elsewhere(late, "/other.mp4")
    with loopback.serving(reads.ranges(reads.held(bucket.url("a")))) as served:
        opened = opening.of_loopback(served.url, served.check)
        argv = [str(ffmpeg), "-v", "error", *opened.guard, *(("-enable_drefs", "1") if let else ())]
        run(
            [*argv, "-i", opened.url, "-map", "0:v", "-f", "null", "-"],
            folder=tmp_path,
            bounds=Bounds(seconds=60, memory_bytes=1 << 30, file_bytes=0),
            halt=Halt(),
            on_line=lambda _: True,
        )
    assert asked == {served.path, *(("/other.mp4",) if let else ())}


def test_another_file_on_the_disk_cannot_be_named(
    made: Clips, tmp_path: Path, ffprobe: Path
) -> None:
    (tmp_path / "other.ts").write_bytes(made.make("s.ts", "-i", str(made.plain())).read_bytes())
    (tmp_path / "source").write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile://{tmp_path}/other.ts\n#EXT-X-ENDLIST\n"
    )
    with pytest.raises(WorkFailed):
        Prober(str(ffprobe)).probe("source", folder=tmp_path, halt=Halt())


def ends_with(rig: Rig, source: Path) -> report.Failed:
    rig.put(rig.task(source.read_bytes()))
    last = rig.run_once()[-1]
    assert isinstance(last, report.Failed), last
    return last


def test_an_encode_that_takes_too_long_is_ended(rig: Rig, made: Clips) -> None:
    rig.work = Encoding(settings=rig.settings, encode_seconds_max=0.5)
    long = made.plain("long.mp4", size="1280x720", rate="30", seconds=30)
    assert ends_with(rig, long).code == "time_limit"


def test_an_encode_that_needs_too_much_memory_is_ended(rig: Rig, made: Clips) -> None:
    settings = msgspec.structs.replace(rig.settings, memory_mib=512, threads=8)
    rig.work = Encoding(settings=settings)
    huge = made.silent("huge.mp4", "-frames:v", "30", size="7680x4320")
    assert ends_with(rig, huge).code == "memory_limit"


def test_an_output_beyond_the_forms_length_ends_the_encode(rig: Rig, made: Clips) -> None:
    task = rig.task(made.plain("long.mp4", size="1280x720", rate="30", seconds=30).read_bytes())
    task["upload"]["size_bytes_max"] = 100_000
    rig.put(task)
    last = rig.run_once()[-1]
    assert isinstance(last, report.Failed)
    assert last.code == "output_limit"
    assert rig.bucket.count("POST") == 0


def test_a_header_that_claims_four_gigapixels_is_refused_before_anything_is_decoded(
    rig: Rig, made: Clips
) -> None:
    moving = made.make("moving.gif", "-f", "lavfi", "-i", "testsrc=s=100x50:r=10:d=1")
    content = bytearray(moving.read_bytes())
    content[6:10] = b"\xff\xff\xff\xff"
    rig.put(rig.task(bytes(content)))
    last = rig.run_once()[-1]
    assert isinstance(last, report.Failed)
    assert last.code in ("source_absurd", "source_corrupt")
    assert rig.jobs.depth().in_flight == 0


def test_nothing_of_a_task_stays_on_the_disk(rig: Rig, made: Clips) -> None:
    rig.put(rig.task(made.plain().read_bytes()))
    rig.put(rig.task(b"no media"))
    rig.run_once()
    assert list(Path(rig.settings.scratch).iterdir()) == []


def test_what_a_crash_left_is_gone_before_the_next_task(rig: Rig, made: Clips) -> None:
    stray = Path(rig.settings.scratch) / "attempt" / "out" / "video.mp4"
    stray.parent.mkdir(parents=True)
    stray.write_text("somebody else's")
    rig.put(rig.task(made.plain().read_bytes()))
    assert isinstance(rig.run_once()[-1], report.Encoded)
    assert not stray.exists()


def test_two_outputs_of_one_name_are_refused_before_anything_is_fetched(rig: Rig) -> None:
    output = {"kind": "video", "file": "a.mp4"}
    rig.put(rig.task(b"", recipe={"outputs": [output, output]}))
    last = rig.run_once()[-1]
    assert isinstance(last, report.Failed)
    assert last.code == "request_refused"
    assert rig.bucket.seen == []


def test_a_users_task_without_a_url_for_an_output_is_refused_before_anything_is_fetched(
    rig: Rig,
) -> None:
    rig.put(rig.task(b"", upload={"by": "put", "urls": {}}))
    last = rig.run_once()[-1]
    assert isinstance(last, report.Failed)
    assert last.code == "delivery_refused"
    assert rig.bucket.seen == []
