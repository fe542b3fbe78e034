"""Keys in the bucket and names of services: where things are, in one place."""

from pathlib import PurePosixPath

from mayfly.contract.presets import is_name
from mayfly.core.parts import FINISH_TASK

UPLOADS, WORK, OUTPUTS = "uploads/", "work/", "outputs/"
#: Recipes that users gave names to.
PRESETS = "presets/"
#: Images that recipes draw.
ASSETS = "assets/"
#: An upload of this name says that the photographs of its folder are all there.
READY = "_ready"
#: Where the photographs of time-lapses are listed; no job has such a name.
_ROLLS = f"{WORK}rolls/"

#: By the ends of their names, in whatever case. GIFs are films.
PHOTOGRAPHS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")
#: What telephones and cameras also write, and no worker reads.
UNREAD_PHOTOGRAPHS = (".heic", ".heif", ".avif", ".hif")


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
    """Whether an object is somebody's upload that asks for work. Consoles make folders visible by
    empty objects whose keys end with a slash; a photograph is one of many, and `_ready` or a
    request asks for them all."""
    return key.startswith(UPLOADS) and not key.endswith("/") and not is_photograph(key)


def is_photograph(key: str) -> bool:
    """By the end of its name, also of a kind that no worker reads."""
    return key.lower().endswith(PHOTOGRAPHS + UNREAD_PHOTOGRAPHS)


def folder_of_ready(key: str) -> str | None:
    """The folder, with its slash, whose photographs an upload says to be all there; None of any
    other upload, and where there is no folder."""
    folder, slash, name = key.rpartition("/")
    return folder + slash if name == READY and folder + slash != UPLOADS else None


def roll_key(etag: str) -> str:
    """Where the photographs of a set are listed, by the tag that names them."""
    return f"{_ROLLS}{etag}.json.gz"


def photographs_key(job_id: str, task_id: str) -> str:
    """The same list with a signed GET for each."""
    return f"{work_prefix(job_id, task_id)}photographs.json.gz"


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
    """What is left of a source's key without `uploads/`, the preset's folder and the ending. Of a
    preset's own folder, the preset."""
    path = key.removeprefix(UPLOADS).removeprefix(f"{preset}/")
    if key.endswith("/"):
        return path.rstrip("/") or preset  # a folder has no ending
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
