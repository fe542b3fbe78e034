"""What users do, and what must happen: the whole system on the embedded AWS."""

import http.server
import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mayfly.contract.outcome import Outcome
from tests.e2e.conftest import Film, Stage, until

pytestmark = pytest.mark.timeout(420)

NAME = "my clip (1)+ü.mp4"


def succeeded(outcome: Outcome) -> Outcome:
    assert outcome.state == "succeeded", outcome
    return outcome


def test_an_upload_becomes_a_deliverable_and_nothing_is_left(
    stage: Stage, media: Path, tmp_path: Path
) -> None:
    clip = media / "big-buck-bunny-480p-30s.mp4"
    key = stage.upload(clip, f"mp4-720p/{NAME}")
    outcome = succeeded(stage.outcome(key))
    (output,) = outcome.outputs
    assert output.key == f"outputs/my clip (1)+ü/mp4-720p/{outcome.job_id}/video.mp4"
    assert (output.media.width, output.media.height) == (854, 480)  # never enlarged
    assert output.media.frames == 720
    stage.s3.download_file(stage.bucket, output.key, str(tmp_path / "video.mp4"))
    assert (tmp_path / "video.mp4").stat().st_size == output.size_bytes
    stage.wait_until_quiet()
    assert stage.is_quiet()


@pytest.mark.parametrize(("preset", "file"), [("audio-m4a", "audio.m4a"), ("poster", "poster.jpg")])
def test_the_folder_of_an_upload_chooses_its_preset(
    stage: Stage, film: Film, preset: str, file: str
) -> None:
    outcome = succeeded(stage.outcome(stage.upload(film(), f"{preset}/a.mp4")))
    assert [output.file for output in outcome.outputs] == [file]


def test_the_plain_aws_cli_drives_it(stage: Stage, film: Film, tmp_path: Path) -> None:
    clip = tmp_path / NAME
    shutil.copy(film(seed=1), clip)
    aws = [sys.executable, str(Path(sys.executable).parent / "aws")]
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), **stage.cloud.environment}
    copied = [*aws, "s3", "cp", str(clip), f"s3://{stage.bucket}/uploads/"]
    subprocess.run(copied, env=env, check=True, timeout=60, capture_output=True)
    outcome = succeeded(stage.outcome(f"uploads/{NAME}"))
    assert outcome.preset == "mp4-720p"
    request = {"source": outcome.source, "preset": "poster", "request_id": "from the cli"}
    # Version 1 of the CLI sends SQS to Amazon's legacy host unless it is told so on the line.
    aws += ["--endpoint-url", stage.cloud.endpoint_url]
    sent = [*aws, "sqs", "send-message", "--queue-url", stage.cloud.outputs["RequestsQueueUrl"]]
    subprocess.run(
        [*sent, "--message-body", json.dumps(request)],
        env=env,
        check=True,
        timeout=60,
        capture_output=True,
    )

    def answered() -> list[Outcome]:
        return [o for o in stage.outcomes(outcome.source) if o.preset == "poster"]

    until(answered, "the answer to a request by message", 120)
    assert answered()[0].request_ids == ("from the cli",)


def test_a_request_that_makes_no_sense_is_answered_with_a_sentence(stage: Stage) -> None:
    stage.request(source=f"s3://{stage.bucket}/uploads/x.mp4", preset="mp5")
    outcome = stage.outcome("uploads/x.mp4", 60)
    assert outcome.failure is not None and outcome.failure.code == "request_refused"
    assert "one of: archive-lossless, audio-m4a, " in outcome.failure.sentence


def test_a_task_with_a_users_own_urls_ends_in_an_outcome(
    stage: Stage, film: Film, tmp_path: Path
) -> None:
    stage.s3.upload_file(str(film(seed=2)), stage.bucket, "theirs/in.mp4")
    sign = stage.s3.generate_presigned_url
    get = sign("get_object", Params={"Bucket": stage.bucket, "Key": "theirs/in.mp4"})
    put = sign("put_object", Params={"Bucket": stage.bucket, "Key": "theirs/out.jpg"})
    task = {
        "source": {"fetch": {"url": get}},
        "recipe": {"outputs": [{"kind": "poster", "file": "out.jpg"}]},
        "upload": {"by": "put", "urls": {"out.jpg": {"url": put}}},
    }
    stage.sqs.send_message(QueueUrl=stage.pool["jobs_queue_url"], MessageBody=json.dumps(task))
    stage.cloud.tick()
    outcome = succeeded(stage.outcome_of(get.partition("?")[0], 120))
    assert [output.file for output in outcome.outputs] == ["out.jpg"]
    stage.s3.download_file(stage.bucket, "theirs/out.jpg", str(tmp_path / "out.jpg"))
    assert (tmp_path / "out.jpg").read_bytes().startswith(b"\xff\xd8")


def test_the_same_file_twice_and_its_notification_five_times_is_one_encode(
    stage: Stage, film: Film
) -> None:
    key = stage.upload(film(seed=3), "twice.mp4")
    stage.upload(film(seed=3), "twice.mp4")
    stage.notify_again(key, times=5)
    outcome = succeeded(stage.outcome(key))
    stage.wait_until_quiet()
    assert outcome.attempts == 1
    assert {o.job_id for o in stage.outcomes(f"s3://{stage.bucket}/{key}")} == {outcome.job_id}


def busy_task(stage: Stage) -> str:
    """The ECS task that encodes just now, and is some way on."""
    found: list[str] = []

    def encoding() -> bool:
        rows = stage.cloud.client("dynamodb").scan(TableName=stage.cloud.outputs["Table"])["Items"]
        found[:] = [
            row["worker"]["S"]
            for row in rows
            if row.get("state", {}).get("S") == "running"
            and row.get("worker", {}).get("S")
            and float(row.get("fraction", {}).get("N", 0)) > 0
        ]
        return bool(found)

    until(encoding, "a worker to begin", 60)
    return found[0]


@pytest.mark.parametrize("kill", [False, True], ids=["announced", "without-warning"])
def test_a_job_whose_worker_goes_is_finished_by_it_in_its_notice_or_by_another(
    stage: Stage, film: Film, kill: bool
) -> None:
    clip = film(seconds=25, size="1280x720", seed=5 if kill else 4)
    key = stage.upload(clip, f"interrupted-{kill}.mp4")
    task = busy_task(stage)
    stage.cloud.interrupt(task, kill=kill)
    outcome = succeeded(stage.outcome(key))
    assert outcome.attempts == (2 if kill else 1)
    assert outcome.interruptions == 0
    assert outcome.outputs[0].media.frames == 25 * 24
    until(lambda: all(one.arn != task for one in stage.cloud.ps()), "its worker to leave", 20)


@pytest.fixture
def trap() -> Iterator[tuple[str, list[str]]]:
    """A server that no media may make us ask; its address, and what it was asked."""
    asked: list[str] = []

    class Trap(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Trap)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()
    thread.join()


def test_hostile_and_broken_files_end_within_seconds_with_their_own_codes(
    stage: Stage, film: Film, tmp_path: Path, trap: tuple[str, list[str]]
) -> None:
    address, asked = trap
    whole = film(seconds=6, size="640x360", seed=6).read_bytes()
    playlist = f"#EXTM3U\n#EXTINF:1,\n{address}/credentials\n#EXT-X-ENDLIST\n"
    files = {
        "zero.mp4": (b"", "source_empty"),
        "text.mp4": (b"This is not a video.\n" * 50, "not_media"),
        "truncated.mp4": (whole[: len(whole) * 6 // 10], None),
        "playlist.mp4": (playlist.encode(), "playlist_refused"),
    }
    keys = {}
    for name, (body, _) in files.items():
        (tmp_path / name).write_bytes(body)
        keys[name] = stage.upload(tmp_path / name, f"mp4-720p/{name}")
    sound = tmp_path / "sound.mp4"
    m4a = stage.outcome(stage.upload(film(seed=7), "audio-m4a/s.mp4")).outputs[0].key
    stage.s3.download_file(stage.bucket, m4a, str(sound))
    keys["sound.mp4"] = stage.upload(sound, "mp4-720p/sound.mp4")
    files["sound.mp4"] = (b"", "no_video")
    for name, key in keys.items():
        outcome = stage.outcome(key, 60)
        assert outcome.state == "failed" and outcome.failure is not None, name
        assert outcome.attempts <= 1, "bad input is tried once"
        expected = {files[name][1]} - {None} or {"source_truncated", "not_media"}
        assert outcome.failure.code in expected, (name, outcome.failure)
        assert outcome.failure.sentence and outcome.failure.advice
    assert asked == [], "a second URL was fetched"


def test_a_clip_of_one_frame_succeeds(stage: Stage, film: Film) -> None:
    clip = film(seconds=1 / 24, sound=False, seed=8)
    outcome = succeeded(stage.outcome(stage.upload(clip, "one.mp4")))
    assert outcome.outputs[0].media.frames == 1


def test_twenty_uploads_at_once_are_twenty_outcomes_and_few_calls_to_ecs(
    stage: Stage, film: Film
) -> None:
    stage.wait_until_quiet()
    before = planned(stage)
    keys = [stage.upload(film(seconds=1, seed=20 + n), f"twenty/{n}.mp4") for n in range(20)]
    outcomes = [succeeded(stage.outcome(key)) for key in keys]
    assert len({outcome.job_id for outcome in outcomes}) == 20
    stage.wait_until_quiet()
    assert planned(stage) - before <= 10


def planned(stage: Stage) -> int:
    """Calls that changed a service, as the planners logged them."""
    return len(re.findall(r"\"(?:Create|Resize|Delete)Service mayfly-", stage.logs()))


def test_no_signed_url_token_or_credential_is_in_any_log(stage: Stage) -> None:
    logs = stage.logs()
    assert "TaskEncoded" in logs, "there are logs to look at"
    for secret in ("X-Amz-Signature", "X-Amz-Security-Token", "x-amz-signature", "aws_secret"):
        assert secret not in logs
