"""The names of a ladder's files, and what is copied where when it is published.

The list of what is ready comes from a worker, who is believed only within its own job: whatever in
it would lead out of that is refused before anything is copied.
"""

from mayfly.contract.ladder import Ready
from mayfly.contract.recipe import LadderOutput, Manifest

# No file of a recipe can have these names, which begin with no letter or digit.

#: Of a task's artifacts, the one that lists the segments it stored.
INDEX = "_ladder.json.gz"

#: Of those that deliver, the one that lists what is to be published.
PUBLISHED = "_published.json"

#: What a player of HLS opens. This name and those below are within the ladder's folder.
MASTER = "master.m3u8"

#: What a player of DASH opens.
MANIFEST = "manifest.mpd"

#: What a player opens, by its kind.
OPENED: dict[Manifest, str] = {"hls": MASTER, "dash": MANIFEST}


def playlist(track: str) -> str:
    """Of one track."""
    return f"{track}.m3u8"


def iframes(track: str) -> str:
    """The playlist of the keyframes of one size of the picture."""
    return f"{track}-iframes.m3u8"


def beginning(track: str) -> str:
    """What a decoder must know before any segment of a track."""
    return f"{track}/init.mp4"


def segment(track: str, number: int) -> str:
    """One segment of a track."""
    return f"{track}/{number:05d}.m4s"


def text_segment(text: str, number: int) -> str:
    """One segment of a track of subtitles, for players of HLS."""
    return f"{text}/{number:05d}.vtt"


def text_whole(text: str) -> str:
    """All of a track of subtitles in one file, for players of DASH."""
    return f"{text}/whole.vtt"


#: The same for all tracks, as a player of DASH fills it in.
SEGMENT_TEMPLATE = "$RepresentationID$/$Number%05d$.m4s"


def delivered(output: LadderOutput) -> list[str]:
    """What its outcome names: what players open. The first stands for all of a ladder."""
    return [f"{output.file}/{OPENED[kind]}" for kind in output.manifests]


#: From where to where.
Copy = tuple[str, str]


def tracks(ready: Ready) -> list[str]:
    """Their names."""
    texts = () if ready.texts is None else ready.texts.names
    return [*(track for layer in ready.layers for track in layer.tracks), *texts]


def media(ready: Ready, track: str, target: str) -> list[Copy]:
    """What is to be copied of one track; clean names begin with `target`."""
    if ready.texts is not None and track in ready.texts.names:
        names = text_files(track, ready.texts.segments, ready.manifests)
        return [_copy(ready, ready.texts.prefix, target, name) for name in names]
    (layer,) = (layer for layer in ready.layers if track in layer.tracks)
    return [
        _copy(ready, layer.runs[0].prefix, target, beginning(track)),
        *(
            _copy(ready, run.prefix, target, segment(track, number))
            for run in layer.runs
            for number in range(run.first, run.end)
        ),
    ]


def text_files(text: str, segments: int, manifests: tuple[Manifest, ...]) -> list[str]:
    """All of a track of subtitles that the players of these lists read."""
    cut = [text_segment(text, number) for number in range(segments)] if "hls" in manifests else []
    return [*cut, *([text_whole(text)] if "dash" in manifests else [])]


def playlists(ready: Ready, target: str) -> list[Copy]:
    """Those of all tracks; DASH has none."""
    if "hls" not in ready.manifests:
        return []
    names = [playlist(track) for track in tracks(ready)]
    if ready.iframes:
        names += [iframes(track) for track in tracks(ready) if track.startswith("v")]
    return [_copy(ready, ready.playlists, target, name) for name in names]


def opened(ready: Ready, target: str) -> list[Copy]:
    """What players open: the last to be copied, and at the very end what stands for all."""
    names = [OPENED[kind] for kind in ready.manifests]
    return [_copy(ready, ready.playlists, target, name) for name in reversed(names)]


def _copy(ready: Ready, prefix: str, target: str, file: str) -> Copy:
    return f"{prefix}{ready.folder}/{file}", f"{target}{ready.folder}/{file}"


def flaw(ready: Ready, output: LadderOutput, job_prefix: str) -> str:
    """Why it is not to be published; empty when it is."""
    if ready.folder != output.file:
        return f"promised {output.file}, got {ready.folder}"
    if ready.manifests != output.manifests:
        return f"promised {' and '.join(output.manifests)}, got {' and '.join(ready.manifests)}"
    names = tracks(ready)
    if len(set(names)) < len(names) or "v0" not in names:
        return f"{ready.folder} has the tracks {', '.join(names)}"
    prefixes = {ready.playlists, *(run.prefix for layer in ready.layers for run in layer.runs)}
    if ready.texts is not None:
        prefixes.add(ready.texts.prefix)
        if output.subtitles == "none":
            return f"{ready.folder} has subtitles that nobody wanted"
    for prefix in sorted(prefixes):
        if not prefix.startswith(job_prefix) or ".." in prefix or not prefix.endswith("/"):
            return f"{ready.folder} lies outside of its job"
    for layer in ready.layers:
        at = 0
        for run in layer.runs:
            if run.first != at or run.end <= at:
                return f"{ready.folder} has a gap at segment {at} of {layer.tracks[0]}"
            at = run.end
        if ready.texts is not None and "v0" in layer.tracks and at != ready.texts.segments:
            return f"{ready.folder} has not as many segments of subtitles as of the picture"
    return ""
