"""Keys in the bucket and names of services: where things are, in one place."""

from pathlib import PurePosixPath

from mayfly.contract.presets import is_name
from mayfly.core.parts import FINISH_TASK

UPLOADS, WORK, OUTPUTS = "uploads/", "work/", "outputs/"
#: Recipes that users gave names to.
PRESETS = "presets/"
#: Images that recipes draw.
ASSETS = "assets/"


def work_prefix(job_id: str, task_id: str) -> str:
    """Where a task's attempts put what they made; each adds a nonce of its own."""
    return f"{job_prefix(job_id)}{task_id}/"


def piece_key(key: str, number: int) -> str:
    """Where a piece of a large output is, counted from 1; nothing is at the output's own key."""
    return f"{key}.part-{number:05d}"


def control_key(job_id: str, task_id: str) -> str:
    """The object that a worker reads with each heartbeat."""
    return f"{work_prefix(job_id, task_id)}control.json"


def inputs_key(job_id: str) -> str:
    """What the finish task of a job joins."""
    return f"{work_prefix(job_id, FINISH_TASK)}inputs.json.gz"


def is_upload(key: str) -> bool:
    """Whether an object is somebody's upload. Consoles make folders visible by empty objects whose
    keys end with a slash."""
    return key.startswith(UPLOADS) and not key.endswith("/")


def folder_of_upload(key: str) -> str:
    """The first folder under `uploads/`, which may be a preset's name; empty without one."""
    folder, slash, _ = key.removeprefix(UPLOADS).partition("/")
    return folder if slash else ""


def preset_key(name: str) -> str:
    """Where a user's preset is."""
    return f"{PRESETS}{name}.json"


def asset_key(name: str) -> str:
    """Where an image is that recipes draw."""
    return f"{ASSETS}{name}"


def preset_of_key(key: str) -> str | None:
    """The name of the preset that a key holds; None for anything else that lies there."""
    name = key.removeprefix(PRESETS).removesuffix(".json")
    return name if preset_key(name) == key and is_name(name) else None


def stem(key: str, preset: str) -> str:
    """What is left of a source's key without `uploads/`, the preset's folder and the ending."""
    path = key.removeprefix(UPLOADS).removeprefix(f"{preset}/")
    return str(PurePosixPath(path).with_suffix("")) if PurePosixPath(path).name else path


def output_key(source_key: str, preset: str, job_id: str, file: str) -> str:
    """The clean name of a deliverable."""
    return f"{OUTPUTS}{stem(source_key, preset)}/{preset}/{job_id}/{file}"


def job_prefix(job_id: str) -> str:
    """Where all attempts of a job put what they made."""
    return f"{WORK}{job_id}/"


def latest_key(source_key: str, preset: str) -> str:
    """Points at the newest job of one upload path."""
    return f"{OUTPUTS}{stem(source_key, preset)}/{preset}/latest.json"


def service_name(pool: str, opaque: str) -> str:
    """ECS allows 255 letters, digits, `_` and `-`; the opaque id because a DRAINING name
    cannot be created again."""
    return f"mayfly-{pool}-{opaque}"


def pool_of_service(name: str) -> str | None:
    """The pool of one of our services' names."""
    parts = name.split("-", 2)
    return parts[1] if len(parts) == 3 and parts[0] == "mayfly" else None


def is_newer(sequencer: str, than: str) -> bool:
    """S3's order of events of one key: hexadecimal, the shorter padded with zeros on the right
    (S3 User Guide, event message structure)."""
    width = max(len(sequencer), len(than))
    return sequencer.ljust(width, "0") > than.ljust(width, "0")
