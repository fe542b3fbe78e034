"""The options that commands share, said once."""

from typing import Annotated

import typer

AsJson = Annotated[
    bool, typer.Option("--json", help="One JSON document on standard output, nothing else there.")
]
StackName = Annotated[
    str | None,
    typer.Option(
        "--stack",
        envvar="MAYFLY_STACK",
        help="The stack on AWS. Default: the running laptop cloud, else `mayfly`.",
        show_default=False,
    ),
]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="The job's id, as `submit` printed it.")]
Wait = Annotated[bool, typer.Option("--wait", help="Follow the job until it ends.")]
PresetName = Annotated[
    str | None,
    typer.Option(
        "--preset",
        help="What shall come out: see `mayfly presets`. Default: the stack's own.",
        show_default=False,
    ),
]
