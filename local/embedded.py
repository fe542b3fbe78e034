"""Starts and stops the embedded AWS: MiniStack as a child process on 127.0.0.1.

Its state is in memory and ends with it; the bytes of S3 objects lie in its folder on disk (a film
does not belong into memory). It never sees the caller's AWS configuration: the environment is
made here, so no credential of a real account can reach a Lambda of the laptop.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

import boto3
import urllib3
from botocore.config import Config

from local import container

#: The credentials of the laptop. MiniStack takes any; these are no secret.
ACCESS_KEY_ID = "test"
SECRET_ACCESS_KEY = "test"  # noqa: S105
REGION = "us-east-1"

#: From start to the first answer. It takes half a second; a cold disk is given time.
_READY_SECONDS = 60


class EmbeddedAwsFailed(RuntimeError):
    """The embedded AWS did not come up; the message ends with its last words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedAws:
    """A running embedded AWS."""

    endpoint_url: str
    #: Its log, S3 objects and temporary files.
    folder: Path
    process: "subprocess.Popen[bytes]"

    @property
    def environment(self) -> dict[str, str]:
        """What an AWS CLI or SDK needs to speak to it."""
        return environment(self.endpoint_url)

    def client(self, service: str, **options: Any) -> Any:
        """A boto3 client of it, whatever the caller's environment says."""
        return client(service, self.endpoint_url, **options)

    def stop(self) -> None:
        """Ends it and everything that runs beneath it, and removes what it kept.

        Without asking: it has nothing to save, and asked, it would wait for Lambdas under way.
        """
        _close(self.process)
        for kept in ("s3", "tmp"):
            shutil.rmtree(self.folder / kept, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def environment(endpoint_url: str) -> dict[str, str]:
    """What an AWS CLI or SDK needs to speak to an embedded AWS."""
    return {
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
    }


def client(service: str, endpoint_url: str, **options: Any) -> Any:
    """A boto3 client with the laptop's credentials, whatever the caller's environment says."""
    if service == "s3":
        # The default of us-east-1 still signs SigV2, which MiniStack does not check; and a
        # bucket's name is no host on a laptop.
        options = {"signature_version": "s3v4", "s3": {"addressing_style": "path"}, **options}
    session = boto3.session.Session(
        aws_access_key_id=ACCESS_KEY_ID,
        aws_secret_access_key=SECRET_ACCESS_KEY,
        region_name=REGION,
    )
    return session.client(service, endpoint_url=endpoint_url, config=Config(**options))


def start(folder: Path, *, port: int = 0, draining_seconds: float = 0.0) -> EmbeddedAws:
    """Starts it with its state under `folder`; ready when this returns."""
    for name in ("s3", "tmp", "logs"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "local.ministack_host", "--port", str(port)]
    argv += ["--draining-seconds", str(draining_seconds)]
    log_path = folder / "logs" / "aws.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            container.command(argv),
            env=_environment(folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    try:
        endpoint_url = f"http://127.0.0.1:{_announced_port(process.stdout)}"
        _wait_until_ready(endpoint_url, process)
    except BaseException as error:
        _close(process)
        if isinstance(error, OSError | ValueError | TimeoutError):
            words = log_path.read_text(errors="replace")[-2000:]
            raise EmbeddedAwsFailed(f"The embedded AWS did not start ({error}).\n{words}") from None
        raise
    return EmbeddedAws(endpoint_url=endpoint_url, folder=folder, process=process)


def _environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(Path(__file__).resolve().parents[1]),
        "PYTHONUNBUFFERED": "1",
        "LANG": "C.UTF-8",
        "HOME": str(folder / "tmp"),
        # Lambda code is unpacked here, so that it leaves with the folder.
        "TMPDIR": str(folder / "tmp"),
        "LOG_LEVEL": "INFO",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        # Queue URLs name this host; `localhost` may mean ::1, where nobody listens.
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "BIND_HOST": "127.0.0.1",
        # With S3_PERSIST an object's bytes leave the memory for the disk.
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(folder / "s3"),
        "PERSIST_STATE": "0",
        # Lambdas in warm subprocesses, never in Docker, which may be here all the same.
        "LAMBDA_EXECUTOR": "local",
        "LAMBDA_WARM_TTL_SECONDS": "120",
        "DOCKER_HOST": "unix:///nonexistent/docker.sock",
        # Both would open ports of their own.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
    }


def _announced_port(stdout: IO[bytes] | None) -> int:
    assert stdout is not None
    line = stdout.readline()
    if not line:
        raise ValueError("it ended before it listened")
    return int(json.loads(line)["port"])


def _wait_until_ready(endpoint_url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ValueError(f"it ended with {process.returncode}")
        try:
            if urllib3.request("GET", f"{endpoint_url}/_ministack/health", timeout=1).status == 200:
                return
        except urllib3.exceptions.HTTPError:
            time.sleep(0.02)
    raise TimeoutError(f"no answer within {_READY_SECONDS} s")


def _close(process: "subprocess.Popen[bytes]") -> None:
    """The end of its standard input ends the container, whatever it is doing."""
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    process.wait()
