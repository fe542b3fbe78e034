"""Builds the worker's image and pushes it to a registry that wants a password.

The password goes to the tool's standard input and is forgotten by the tool afterwards; it is never
an argument, which every process of the machine could read.
"""

import subprocess

from build_tools import image, image_tools, tree


def tag_of(arch: str) -> str:
    """A tag that changes when a file of the image does: the same sources are pushed once."""
    recipe = [image.ROOT / "docker" / "Dockerfile", *tree.files_below(image.stage_context(arch))]
    return tree.digest(recipe, image.ROOT, arch)[:16]


def push(arch: str, reference: str, *, base: str, user: str, password: str) -> None:
    """Builds and sends. Raises `image_tools.Unable` where no tool is, with what to install."""
    tool = usable_tool()
    registry = reference.split("/", maxsplit=1)[0]
    login = [tool, "login", "--username", user, "--password-stdin", registry]
    if subprocess.run(login, input=password.encode(), check=False, stdout=2).returncode:
        raise image_tools.Unable(f"{tool} could not log in to {registry}; its words are above.")
    try:
        image.main(["--arch", arch, "--tool", tool, "--base", base, "--push", reference])
    finally:
        subprocess.run([tool, "logout", registry], check=False, stdout=2)


def usable_tool() -> str:
    """The name of the first tool that works."""
    for name in image_tools.TOOLS:
        try:
            image_tools.pick(name)
        except image_tools.Unable:
            continue
        return name
    raise image_tools.Unable(
        "None of docker, podman and buildah works here, so the worker's image cannot be built. "
        f"{image_tools.HOW_TO_GET_ONE} Or build and push it elsewhere and give its name: "
        "make deploy IMAGE=registry/name@sha256:…"
    )
