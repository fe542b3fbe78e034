"""Brings a folder of photographs in: uploads what is not there yet, and asks for one film of all.

By a request and not by the upload of `_ready`: then what was asked is answered with its own words.
It must never mix them with photographs that somebody else put under the same name.
"""

import dataclasses
import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from console import reach
from console.ends import WrongCall
from console.voice import Voice

if TYPE_CHECKING:
    from console.submitting import Submitted
    from mayfly.perform.ports import ObjectListed

#: What a folder becomes where nobody says anything else.
_PRESET = "timelapse"
#: A link is full with a few at once, and photographs are small.
_AT_ONCE = 4


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The photographs of a folder on this machine, in the order of their names."""

    folder: Path
    paths: tuple[Path, ...]


def chosen(folder: Path) -> Chosen:
    """Those that a worker may read; whatever else lies there stays there. Raises WrongCall."""
    from mayfly.contract.photographs import PHOTOGRAPHS_MAX
    from mayfly.core import naming

    found = sorted(
        path
        for path in folder.rglob("*")
        if naming.is_photograph(path.name)
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not found:
        raise WrongCall(
            f"{folder} has no photographs in it.",
            f"A time-lapse is made of {', '.join(naming.PHOTOGRAPHS)} files.",
        )
    unread = [path for path in found if path.name.lower().endswith(naming.UNREAD_PHOTOGRAPHS)]
    if unread:
        raise WrongCall(
            f"{unread[0].name} is of a kind that Mayfly does not read"
            f" ({len(unread)} of {len(found)} are).",
            "Convert them to JPEG, or set the camera to it.",
        )
    if unsaid := next((path for path in found if not _is_text(path)), None):
        raise WrongCall(
            f"The name of {unsaid} is not UTF-8, which S3 asks of its keys.", "Rename the file."
        )
    if len(found) > PHOTOGRAPHS_MAX:
        raise WrongCall(
            f"{folder} has {len(found)} photographs, at most {PHOTOGRAPHS_MAX} make one film.",
            "Put them into several folders.",
        )
    return Chosen(folder=folder, paths=tuple(found))


def upload(
    voice: Voice,
    at: reach.Stack,
    photographs: Chosen,
    preset: str | None,
    wishes: Mapping[str, object],
) -> "Submitted":
    """Puts them beneath `uploads/<preset>/<folder>/` and sends a request for that. Raises Refusal,
    WrongCall."""
    from console import submitting
    from mayfly.contract.request import Request
    from mayfly.perform import presets_of_users

    asked = Request(source="s3://-/-", preset=preset or _PRESET)
    name, recipe = presets_of_users.resolved(at.world, asked)
    if recipe.timelapse is None:
        raise WrongCall(
            f"{name} is for a video, and {photographs.folder} is a folder of photographs.",
            "Take --preset timelapse, or one of your own with timelapse in it.",
        )
    prefix = submitting.upload_key(photographs.folder.resolve(), name) + "/"
    wanted = {
        f"{prefix}{path.relative_to(photographs.folder).as_posix()}": path
        for path in photographs.paths
    }
    there = {one.key: one for one in _photographs_at(at, prefix)}
    if strange := sorted(there.keys() - wanted.keys()):
        raise WrongCall(
            f"s3://{at.bucket}/{prefix} has other photographs in it, such as"
            f" {strange[0].removeprefix(prefix)!r}.",
            "Rename your folder, or remove those: aws s3 rm --recursive.",
        )
    _send(voice, at, {key: path for key, path in wanted.items() if not _is(there.get(key), path)})
    return submitting.ask_for(at, f"s3://{at.bucket}/{prefix}", name, wishes)


def _is_text(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _photographs_at(at: reach.Stack, prefix: str) -> "list[ObjectListed]":
    from mayfly.core import limits_of_photographs as bounds
    from mayfly.core import naming

    listed = at.world.store.list(at.bucket, prefix, limit=bounds.LISTED_MAX)
    return [one for one in listed if naming.is_photograph(one.key)]


def _is(there: "ObjectListed | None", path: Path) -> bool:
    """Whether it was uploaded before. What was uploaded in parts has another tag, and is again."""
    if there is None or there.size_bytes != path.stat().st_size:
        return False
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    return there.etag == digest.hexdigest()


def _send(voice: Voice, at: reach.Stack, missing: Mapping[str, Path]) -> None:
    """Several at once, with one bar for all."""
    whole = sum(path.stat().st_size for path in missing.values())
    sent = 0
    with voice.bar("uploads") as bar, ThreadPoolExecutor(_AT_ONCE) as pool:

        def on_bytes(count: int) -> None:
            nonlocal sent
            sent += count
            bar.to(min(1.0, sent / whole) if whole else 1.0)

        under_way = [
            pool.submit(at.cargo.upload, path, key, on_bytes) for key, path in missing.items()
        ]
        for one in under_way:
            one.result()
