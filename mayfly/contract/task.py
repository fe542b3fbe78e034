"""One message on a jobs queue: work for one worker, with the signed URLs it needs.

Mayfly's dispatcher writes tasks, and so may users with URLs of their own: then job_id, task_id and
token are absent and the worker reports `adopted` first. Unknown fields are ignored within a major
version. A task holds secrets (signed URLs, token): it must never be logged or shown.
"""

from typing import Annotated, Literal

import msgspec

from mayfly.contract import packed, wire
from mayfly.contract.plan import PlanClock, Scope
from mayfly.contract.recipe import Recipe
from mayfly.contract.report import SoundTrack
from mayfly.contract.wire import Version

#: `encode`: the whole source, or an answer with a plan. `chunk`: one interval of its picture.
#: `audio`: one sound track, whole. `finish`: what joins the parts.
TaskKind = Literal["encode", "chunk", "audio", "finish"]

Url = Annotated[str, msgspec.Meta(pattern=r"^https?://", max_length=8192)]


class Fetch(msgspec.Struct, frozen=True, kw_only=True):
    """A signed GET. The headers are signed too and must be sent exactly so (`if-match`)."""

    url: Url
    headers: dict[str, str] = {}


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """The video to encode; of a time-lapse, the list of its photographs."""

    fetch: Fetch
    #: What the fetched object must be; unknown for tasks that users write.
    size_bytes: int | None = None
    etag: str | None = None


class PostForm(msgspec.Struct, frozen=True, kw_only=True, tag="post", tag_field="by"):
    """A presigned S3 POST: every output goes to `key_prefix` + attempt nonce + "/" + file."""

    url: Url
    fields: dict[str, str]
    key_prefix: str
    #: The policy's content-length-range.
    size_bytes_max: int
    #: A larger output may be stored in pieces, which are joined when it is published; 0: it is not.
    output_bytes_max: int = 0


class PutUrls(msgspec.Struct, frozen=True, kw_only=True, tag="put", tag_field="by"):
    """Presigned PUTs by output file name, as users bring them."""

    urls: dict[str, Fetch]


Upload = PostForm | PutUrls


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """Work for one worker."""

    source: Source
    recipe: Recipe
    upload: Upload
    kind: TaskKind = "encode"
    job_id: str | None = None
    task_id: str | None = None
    #: Reports are accepted only with it.
    token: str | None = None
    #: Where the worker looks for stop or renewed grants with every heartbeat.
    control: Fetch | None = None
    #: Unix time at which the first of the URLs dies; unknown for tasks that users write.
    grants_end_at: float | None = None
    #: Of a chunk: its interval.
    scope: Scope | None = None
    #: Of a planned job's task: the clock that all its parts share.
    plan_clock: PlanClock | None = None
    #: Of a sound task: which track, counted from 0.
    track: int | None = None
    #: Of a finish: where its `Inputs` are. Of a time-lapse, where its `Photographs` are.
    inputs: Fetch | None = None
    #: The images that the recipe draws, by name.
    assets: dict[str, Fetch] = {}
    version: Version = 1


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """One file that a part has stored."""

    kind: TaskKind
    #: The chunk's number, or the track's.
    number: int
    file: str
    fetch: Fetch
    size_bytes: int
    sha256: str
    #: Where it stands: what lies beside it is listed without being fetched.
    key: str = ""
    #: Of a chunk's file: the interval.
    scope: Scope | None = None
    #: Of a sound's file: how many it presents.
    samples: int | None = None
    #: And its tracks, as far as anybody told.
    sounds: tuple[SoundTrack, ...] = ()
    #: What the source says of itself, of the list of its packets.
    tags: dict[str, str] = {}


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """What a finish joins: an object of its own, since thousands of signed URLs fit no message.

    Chunks by number, then sound by track; each one's files in the order in which it brought them.
    """

    parts: tuple[Input, ...]
    version: Version = 1


#: Of the list: ten thousand chunks with twenty files each, at 2 KB.
INPUTS_BYTES_MAX = 400 * 10**6


def read_inputs(body: bytes) -> Inputs:
    """The list from its object, packed or as it was written before. Raises Refusal."""
    try:
        plain = packed.unpack(body, INPUTS_BYTES_MAX) if packed.is_packed(body) else body
    except packed.Unreadable as error:
        raise wire.Refusal("the list", f"{len(body)} bytes", f"packed JSON ({error})") from None
    return wire.decode(Inputs, plain)


class Grants(msgspec.Struct, frozen=True, kw_only=True):
    """All URLs of a task, signed anew."""

    source: Fetch
    upload: Upload
    control: Fetch
    grants_end_at: float
    #: Of a finish, and of a time-lapse.
    inputs: Fetch | None = None
    #: The images that the recipe draws, by name.
    assets: dict[str, Fetch] = {}


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """The object a worker reads with each heartbeat: the only way back to a running worker."""

    order: Literal["go", "stop"] = "go"
    #: Why it must stop: a failure code such as `cancelled`.
    reason: str = ""
    grants: Grants | None = None
    version: Version = 1
