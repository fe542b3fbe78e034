"""What a job's note says of its sound: whatever is otherwise than its recipe asks. Pure."""

from collections.abc import Sequence

from mayfly.contract.recipe import AudioOutput, LadderOutput, Recipe, VideoOutput
from mayfly.contract.report import Artifact
from worker import tracks


def notes(recipe: Recipe, made: Sequence[Artifact]) -> list[str]:
    """A sentence for each such thing."""
    by_file = {artifact.file: artifact.media for artifact in made}
    said = []
    for output in recipe.outputs:
        if not isinstance(output, VideoOutput | AudioOutput | LadderOutput) or not output.audio:
            continue
        opened = [file for file in by_file if file.split("/")[0] == output.file]
        sounds = by_file[opened[0]].sounds if opened else ()
        if sounds:
            lacking = tracks.missing(output.audio, [sound.language for sound in sounds])
            said += [f"{output.file}: no sound in {', '.join(lacking)}."] if lacking else []
        loud = [sound.loudness for sound in sounds if sound.loudness is not None]
        said += dict.fromkeys(f"{output.file}: {one.note}." for one in loud if one.note)
    return said
