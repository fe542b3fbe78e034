"""Logs: one JSON line, one sentence, and which job, task and attempt it is about.

It must never let a URL, a token or a credential through. Nobody here logs one; the last net below
is for what libraries say.
"""

import json
import logging
import re
import sys
from datetime import UTC, datetime

#: Added to a record through `extra`.
FIELDS = ("job_id", "task_id", "attempt", "code", "seconds")

_URL = re.compile(r"\bhttps?://[^\s\"'<>\\]+", re.IGNORECASE)
#: What a library may quote of a URL: its path and query alone.
_SIGNED = re.compile(r"[^\s\"'<>]*X-Amz-[^\s\"'<>]*", re.IGNORECASE)


def without_urls(text: str) -> str:
    """The text with every URL, and everything that smells of a signature, blotted out."""
    return _SIGNED.sub("<signed>", _URL.sub("<url>", text))


class JsonLines(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Tracebacks show code and the exception's type, never its message: a library's message
        may quote a URL in a shape that no net knows."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": without_urls(record.getMessage()),
        }
        line.update({name: getattr(record, name) for name in FIELDS if hasattr(record, name)})
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = record.exc_info[0].__name__
            line["where"] = _where(record)
        return json.dumps(line, ensure_ascii=False)


def start() -> None:
    """Sends every log line of this process to stderr as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for chatty in ("botocore", "urllib3"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _where(record: logging.LogRecord) -> list[str]:
    places = []
    trace = record.exc_info[2] if record.exc_info else None
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return places
