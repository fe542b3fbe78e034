"""Publishes a ladder: its segments first, its playlists and its manifest last, since whoever sees
one of these asks for what it names.

Thousands of copies may take longer than one invocation has: whoever comes after it goes on where it
was, by one listing of what stands there. What is to be copied says a worker, and is believed only
within its own job.
"""

import dataclasses

import msgspec

from mayfly.contract.failure import failure
from mayfly.contract.ladder import Ready
from mayfly.contract.recipe import LadderOutput, Recipe
from mayfly.contract.report import Artifact
from mayfly.core import ladders, naming
from mayfly.core.ladders import Copy
from mayfly.perform.ports import Gone
from mayfly.perform.world import World


class NotWhole(Exception):
    """What a worker brought is not what was promised, or is not there."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.failure = failure(code, detail)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Climb:
    """One ladder on its way."""

    world: World
    #: What clean names begin with.
    target: str
    ready: Ready

    def media(self) -> None:
        """Every segment, and the beginnings of the tracks. Raises NotWhole, Temporary."""
        for track in ladders.tracks(self.ready):
            copies = ladders.media(self.ready, track, self.target)
            folder = f"{self.target}{self.ready.folder}/{track}/"
            seen = self.world.store.list(self._bucket, folder, limit=len(copies))
            there = {found.key for found in seen}
            self._copy([copy for copy in copies if copy[1] not in there])

    def playlists(self) -> None:
        """Those of the tracks, then what players open, one by one. Raises NotWhole, Temporary."""
        self._copy(ladders.playlists(self.ready, self.target))
        for copy in ladders.opened(self.ready, self.target):
            self._copy([copy])

    def _copy(self, copies: list[Copy]) -> None:
        try:
            self.world.store.copy_many(self._bucket, copies)
        except Gone:
            detail = f"a file of {self.ready.folder} is not where its worker put it"
            raise NotWhole("publish_failed", detail) from None

    @property
    def _bucket(self) -> str:
        return self.world.settings.bucket


def wanted(recipe: Recipe) -> LadderOutput | None:
    """A recipe has one ladder at most."""
    return next((one for one in recipe.outputs if isinstance(one, LadderOutput)), None)


def begin(
    world: World, job_id: str, ladder: LadderOutput, artifacts: tuple[Artifact, ...], target: str
) -> Climb | None:
    """Reads what is to be copied below `target`; None when that was done before, so long ago that
    the list is not there any more. Raises NotWhole, Temporary."""
    listed = next(made for made in artifacts if made.file == ladders.PUBLISHED)
    opened = [made for made in artifacts if made.file in ladders.delivered(ladder)]
    bucket = world.settings.bucket
    ready = _read(world, listed)
    if ready is None:
        if any(world.store.head(bucket, f"{target}{one.file}") is None for one in opened):
            raise NotWhole("publish_failed", f"{listed.file} is not where its worker put it")
        return None
    flaw = ladders.flaw(ready, ladder, naming.job_prefix(job_id))
    copied = {key for key, _ in ladders.opened(ready, target)}
    others = [one.file for one in opened if one.key not in copied]
    if flaw or others:
        raise NotWhole("output_broken", flaw or f"{others[0]} is another one")
    return Climb(world=world, target=target, ready=ready)


def _read(world: World, listed: Artifact) -> Ready | None:
    try:
        found = world.store.read(world.settings.bucket, listed.key)
        return msgspec.json.decode(found[0], type=Ready) if found else None
    except (ValueError, msgspec.MsgspecError):  # too large, or no list
        raise NotWhole("output_broken", f"{listed.file} cannot be read") from None
