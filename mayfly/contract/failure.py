"""Every way a job can end badly: a stable code, a sentence, what to do, and how it is retried.

People search for these codes and programs switch on them: a code is never renamed or reused.
"""

import enum

import msgspec


class FailureClass(enum.StrEnum):
    """What a failure means for the next try."""

    #: The input or the request is at fault: tried once, never again.
    BAD_INPUT = "bad_input"
    #: The machine went away or the grant died: tried again, counted.
    INTERRUPTION = "interruption"
    #: Nobody knows: tried twice more, then the job ends.
    UNKNOWN = "unknown"


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong, for people and programs."""

    code: str
    sentence: str
    advice: str


class _Known(msgspec.Struct, frozen=True):
    failure_class: FailureClass
    sentence: str
    advice: str


_BAD, _AGAIN, _UNKNOWN = FailureClass.BAD_INPUT, FailureClass.INTERRUPTION, FailureClass.UNKNOWN

KNOWN: dict[str, _Known] = {
    # Refused before any machine starts.
    "request_refused": _Known(
        _BAD, "The request was refused", "Correct the named field and send it again."
    ),
    "request_unprocessable": _Known(
        _UNKNOWN,
        "The dispatcher could not process this request",
        "Look at the dispatcher's log; then `mayfly redrive`, or send it again.",
    ),
    "source_empty": _Known(
        _BAD, "The file has zero bytes", "Upload it again; the upload was probably cut off."
    ),
    "source_missing": _Known(
        _BAD, "The source is not in the bucket", "Upload it, or correct the key."
    ),
    "source_too_large": _Known(
        _BAD, "The source is larger than a worker's disk", "Use a pool with a larger disk."
    ),
    "source_replaced": _Known(
        _BAD,
        "The source was replaced while the job ran",
        "Nothing: the newer upload has a job of its own.",
    ),
    # Decided by the probe.
    "not_media": _Known(
        _BAD,
        "This is not a media file that Mayfly reads",
        "Upload a video or sound file (MP4, MOV, MKV, WebM, MPEG-TS, AVI, …).",
    ),
    "playlist_refused": _Known(
        _BAD,
        "This is a playlist, not media: it would make the worker fetch other files",
        "Upload the media itself.",
    ),
    "source_truncated": _Known(
        _BAD,
        "The file ends before its own index says",
        "Upload it again; compare its size with the original.",
    ),
    "source_corrupt": _Known(
        _BAD, "The media could not be decoded without errors", "Repair or export the file again."
    ),
    "no_video": _Known(
        _BAD,
        "The recipe wants a picture and the source has none",
        "Choose a sound preset such as audio-m4a.",
    ),
    "no_audio": _Known(
        _BAD,
        "The recipe wants sound and the source has none",
        "Choose a preset without sound, such as poster.",
    ),
    "no_subtitles": _Known(
        _BAD,
        "The recipe wants subtitles and the source has none of that kind",
        "Leave them out of the recipe, or name a language that the source has.",
    ),
    "subtitles_are_pictures": _Known(
        _BAD,
        "The source's subtitles are pictures or teletext, and Mayfly reads text alone",
        "Leave them out of the recipe, or bring a source with text: SubRip, ASS, WebVTT, mov_text.",
    ),
    "subtitles_undrawable": _Known(
        _BAD,
        "The subtitles have letters that Mayfly's font cannot draw",
        "Leave burn_in out and deliver them as a file or with a ladder, where players draw them.",
    ),
    "source_absurd": _Known(
        _BAD,
        "The source's dimensions, rate or stream count are beyond the limits",
        "Scale it down before uploading.",
    ),
    "hdr_refused": _Known(
        _BAD,
        "The picture is in colours that only decoders of their owner show right",
        "Export it as HDR10 or HLG, or in standard range.",
    ),
    "asset_missing": _Known(
        _BAD,
        "An image that the recipe draws is not there",
        "Store it under assets/ in the stack's bucket, or correct its name in the recipe.",
    ),
    "asset_refused": _Known(
        _BAD,
        "An image that the recipe draws cannot be used",
        "Store one still PNG, JPEG or WebP of at most 10 MB and 4096x4096 pixels instead.",
    ),
    "no_images": _Known(
        _BAD,
        "None of the photographs can be read",
        "Upload JPEG, PNG, WebP or TIFF photographs that other programs open.",
    ),
    "images_refused": _Known(
        _BAD,
        "More of the photographs cannot be read than the recipe allows",
        "Replace or remove the named ones, or allow more with skip_max.",
    ),
    "images_changed": _Known(
        _BAD,
        "A photograph was replaced or removed while the job ran",
        "Ask for the folder again: it is taken as it is then.",
    ),
    # While it is encoded.
    "time_limit": _Known(
        _BAD,
        "The encode took longer than its limit",
        "Split the source, or choose a faster recipe or a larger pool.",
    ),
    "output_limit": _Known(
        _BAD, "The output grew beyond its limit", "Choose a higher crf or a smaller box."
    ),
    "memory_limit": _Known(
        _UNKNOWN, "The encoder needed more memory than its worker has", "Choose a larger pool."
    ),
    "encoder_failed": _Known(
        _UNKNOWN,
        "The encoder failed",
        "See the last lines of its log in this record; rerun the job.",
    ),
    "output_broken": _Known(
        _UNKNOWN,
        "The output is not what the recipe promises",
        "Rerun the job; if it happens again, report it with the source.",
    ),
    "delivery_refused": _Known(
        _BAD,
        "The storage refused the output",
        "Check the upload form or URLs of the task, and their end.",
    ),
    "delivery_failed": _Known(_UNKNOWN, "The output could not be stored", "Rerun the job."),
    "source_unreadable": _Known(
        _UNKNOWN,
        "The source could not be downloaded",
        "Check the source and its URL; rerun the job.",
    ),
    "source_refused": _Known(
        _BAD, "The source's URL was refused", "Sign a new URL on an allowed host (S3, https)."
    ),
    "plan_refused": _Known(
        _BAD,
        "The source was cut into chunks in a way that cannot be carried out",
        "Report it with the source; a recipe or pool for shorter work may help.",
    ),
    "worker_failed": _Known(_UNKNOWN, "The worker failed", "See its log; rerun the job."),
    "task_unreadable": _Known(
        _BAD, "A message on the jobs queue is not a task", "Compare it with `mayfly schema task`."
    ),
    # Judged by the completion handler.
    "worker_lost": _Known(
        _UNKNOWN,
        "Workers vanished again and again while doing this task",
        "The input may kill the encoder: try it alone on a larger pool.",
    ),
    "pool_broken": _Known(
        _UNKNOWN,
        "Workers stop before they begin, so the pool was closed",
        "Look at the stopped tasks' reasons (image, network, permissions), then rerun.",
    ),
    "publish_failed": _Known(
        _UNKNOWN,
        "The outputs could not be published",
        "Look at the completion handler's log, then rerun.",
    ),
    "cancelled": _Known(_BAD, "The job was cancelled", "Nothing, or rerun it."),
    # Not failures of the work: they put the task back.
    "spot_interruption": _Known(
        _AGAIN, "The worker was interrupted", "Nothing: another worker takes the task."
    ),
    "grant_expired": _Known(
        _AGAIN, "The task's signed URLs had died before it was begun", "Nothing: it is signed anew."
    ),
}


def failure(code: str, detail: str = "") -> Failure:
    """The failure of a known code; `detail` says what was found in this case."""
    known = KNOWN[code]
    sentence = f"{known.sentence}: {detail}" if detail else known.sentence
    return Failure(code=code, sentence=sentence.rstrip(".") + ".", advice=known.advice)


def class_of(code: str) -> FailureClass:
    """How a code is retried; a code from a newer worker counts as unknown."""
    known = KNOWN.get(code)
    return known.failure_class if known else FailureClass.UNKNOWN
