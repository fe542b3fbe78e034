"""`mayfly demo`: one real job on this machine, shown from end to end."""

from pathlib import Path
from typing import Annotated

import typer

from console import ends, options
from console.ends import speaking
from console.voice import Voice


def demo(
    video: Annotated[
        str | None, typer.Argument(metavar="[VIDEO]", help="Default: Big Buck Bunny.")
    ] = None,
    preset: options.PresetOrFile = None,
    out: Annotated[Path, typer.Option("--out", help="The folder for the outputs.")] = Path("out"),
    as_json: options.AsJson = False,
) -> None:
    """Run one real job on this machine and show every stage of it.

    JSON: {"job_id", "stages": [{"after_seconds", "sentence"}], "outcome", "files", "receipt",
    "mediaconvert", "left" (services, tasks, messages by queue), "clean"}.
    """
    with speaking(as_json) as voice:
        from console import laptop, reach, showing, submitting

        preset_file = laptop.own_preset(preset)
        path = submitting.checked_file(video) if video else _clip(voice)
        laptop.make_folder(out)
        with laptop.laptop(voice) as (cloud, own):
            run = showing.Run(voice=voice, at=reach.of_laptop(cloud))
            name = laptop.named(run.at, preset_file) or preset
            showing.show(run, path, name, out, own)


def _clip(voice: Voice) -> Path:
    from local import clip

    try:
        found = clip.default_clip(lambda text: voice.say(f"… {text}"))
    except clip.NoClip as error:
        raise ends.NoStack(str(error)) from None
    voice.say(f"The clip: {found.credit}")
    return found.path
