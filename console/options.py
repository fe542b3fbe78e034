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
_WHAT = "What shall come out: see `mayfly presets`."
PresetName = Annotated[
    str | None,
    typer.Option(
        "--preset",
        help=f"{_WHAT} Default: the stack's own.",
        show_default=False,
    ),
]
PresetOrFile = Annotated[
    str | None,
    typer.Option(
        "--preset",
        help=f"{_WHAT} Or a .json file with one of your own.",
        show_default=False,
    ),
]
