"""What a worker says on the done queue, past tense. Only workers write it; it is believed only
with the task's token.

A report must never carry a signed URL. Unknown fields are ignored within a major version.
"""

import msgspec

from mayfly.contract import wire
from mayfly.contract.plan import Plan, Scope
from mayfly.contract.recipe import Recipe
from mayfly.contract.wire import Version


class Loudness(msgspec.Struct, frozen=True, kw_only=True):
    """How loud a track was and is, as EBU R 128 measures it."""

    #: Of the source's sound as it was encoded, before anything was done about it: integrated
    #: loudness, how far apart quiet and loud are, highest true peak. Null where it is silent, or
    #: too short to tell (0.4 s).
    input_lufs: float | None = None
    input_range_lu: float | None = None
    input_peak_dbtp: float | None = None
    #: Of what was made, decoded.
    lufs: float | None = None
    peak_dbtp: float | None = None
    #: What was done otherwise than was asked, and why: a sentence for people.
    note: str = ""


class SoundTrack(msgspec.Struct, frozen=True, kw_only=True):
    """One sound track of an output."""

    channels: int
    #: What the file says of it: ISO 639-2/T, and a name for people.
    language: str = ""
    title: str = ""
    #: What is presented when its edit list has cut the priming off.
    samples: int | None = None
    #: Where the recipe asks for one.
    loudness: Loudness | None = None


class Media(msgspec.Struct, frozen=True, kw_only=True):
    """What a probe saw in a file. Absent things are null."""

    container: str
    duration_seconds: float | None = None
    video_codec: str | None = None
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    audio_codec: str | None = None
    sample_rate_hz: int | None = None
    channels: int | None = None
    #: Of an output's sound: what is presented when its edit list has cut the priming off.
    samples: int | None = None
    #: Of an output: what players ask their decoders for before they fetch it, as `codecs` in a MIME
    #: type and `CODECS` in a playlist (RFC 6381); of a ladder, of its largest size and its sound.
    codecs: str | None = None
    #: Of an output: all its sound tracks, of which the first stands above.
    sounds: tuple[SoundTrack, ...] = ()
    #: What the file says of itself, where a recipe has that kept.
    tags: dict[str, str] | None = None
    #: Of subtitles: how many there are.
    cues: int | None = None


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """One stretch of a stored file, an object of its own under the file's key and its number."""

    size_bytes: int
    sha256: str


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """One stored output: where it was put, and what it is.

    A ladder's is what players open, one for each kind of them; the first stands for all of it."""

    file: str
    #: The key it was POSTed to; empty for an output stored through a user's own URL.
    key: str
    #: Of all its files together.
    size_bytes: int
    sha256: str
    media: Media
    #: Of a file that one POST cannot carry: what it was cut into, in order. Nothing is at its key.
    pieces: tuple[Piece, ...] = ()
    #: How many files stand behind it: of a ladder's first, all its lists and segments.
    files: int = 1


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of a film that was looked at."""

    #: From the film's beginning.
    start_seconds: float
    seconds: float
    vmaf: float


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """How one picture looks beside what its encoder was given: of the output itself, by VMAF."""

    file: str
    width: int
    height: int
    #: With which it was encoded.
    crf: int
    #: The mean of all windows, and of the worst.
    vmaf: float
    vmaf_min: float
    #: What was wanted, and what samples of it came to before it was made.
    wanted: float | None = None
    sampled: float
    model: str
    #: Every so manieth frame of a window was looked at.
    subsampling: int
    windows: tuple[Window, ...]


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What was proven of the outputs, in figures: a summary, of which the parts' lists are more."""

    #: Intervals that the picture was encoded in.
    chunks: int = 1
    #: Each is there once, in its place.
    frames: int = 0
    #: On both sides of so many seams the same pictures were hashed.
    seams_checked: int = 0
    #: What the sound presents; null without sound.
    samples: int | None = None
    #: Chunks that did not fit and were encoded once more, from further back.
    made_anew: tuple[int, ...] = ()
    #: Of what was to have a quality.
    quality: tuple[Scored, ...] = ()
    #: Why the source was not cut, or its chunks not joined; empty where it was, or was too short.
    whole_because: str = ""


class _Said(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    job_id: str
    task_id: str
    token: str
    #: The worker's nonce for this try.
    attempt: str
    #: Unix time at the worker.
    at: float
    #: The ECS task and service that speak.
    worker: str = ""
    service: str = ""
    version: Version = 1


class Started(_Said, frozen=True, kw_only=True, tag="started"):
    """The attempt has begun."""


class Progressed(_Said, frozen=True, kw_only=True, tag="progressed"):
    """How far the attempt is: 0..1 of the whole, monotonic within an attempt."""

    fraction: float
    stage: str = "encoding"
    #: Media seconds encoded per wall second.
    speed: float | None = None


class Planned(_Said, frozen=True, kw_only=True, tag="planned"):
    """The source is long: it is cut like this, and the attempt goes on with the first chunk.

    The first plan of a job is taken, and nobody answers: what an attempt brings after another plan
    does not fit, and is not taken.
    """

    plan: Plan


class Encoded(_Said, frozen=True, kw_only=True, tag="encoded"):
    """Every output is stored and proven."""

    outputs: tuple[Artifact, ...]
    #: The chunk that was done; null: the whole source, or whatever else the task is.
    scope: Scope | None = None
    source: Media
    #: Wall seconds from receiving the task to this report: what a receipt splits by.
    busy_seconds: float
    #: CPU seconds of ffmpeg.
    cpu_seconds: float = 0.0
    #: Wall seconds that the encode of its pictures was predicted to take; 0: it was not.
    predicted_seconds: float = 0.0
    #: How the work was divided and proven, or why it was not divided: a sentence for people.
    note: str = ""
    #: The same for programs, of a task whose outputs are the job's.
    proof: Proof | None = None


class Interrupted(_Said, frozen=True, kw_only=True, tag="interrupted"):
    """The attempt stopped for no fault of its own; its message is deleted."""

    #: `spot_interruption`, `grant_expired`, or `ordered` (its control object said stop).
    reason: str
    busy_seconds: float = 0.0


class Failed(_Said, frozen=True, kw_only=True, tag="failed"):
    """The attempt failed. Bad input: the message is deleted. Unknown: it goes back to the queue."""

    code: str
    #: What was found, bounded, without URLs.
    detail: str = ""
    busy_seconds: float = 0.0


class Adopted(_Said, frozen=True, kw_only=True, tag="adopted"):
    """A task that a user put straight onto the jobs queue was taken: the worker chose its ids."""

    pool: str
    recipe: Recipe
    #: The source's URL without its query.
    source: str


class RenewalWanted(_Said, frozen=True, kw_only=True, tag="renewal_wanted"):
    """The grants end before the work does: sign new ones into the control object."""


Report = Started | Progressed | Planned | Encoded | Interrupted | Failed | Adopted | RenewalWanted


def read_report(body: str | bytes) -> Report:
    """A report from its message. Raises Refusal."""
    report: Report = wire.decode(Report, body)  # type: ignore[arg-type]
    return report
