"""The `mayfly` command line: puts the commands together and turns the last surprises into ends.

Commands import what they use when they run, so that `mayfly --help` answers at once.
"""

import os
import signal
import sys
import traceback
from typing import TextIO

import typer

from console import (
    demo,
    doctor,
    ends,
    estimating,
    jobs,
    language,
    laptop,
    presets,
    queues,
    rerunning,
    submitting,
)

HELP = """Video in, deliverables out, on machines that exist only while there is work.

Every command takes --json. Exit codes: 0 well, 1 the job failed, 2 the call was wrong, 3 the
stack is not there or does not answer, 130 interrupted.
"""

app = typer.Typer(
    name="mayfly",
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    # They would print local variables, among them what must not be printed.
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (
    demo.demo,
    submitting.submit,
    estimating.estimate,
    jobs.status,
    jobs.watch,
    jobs.jobs,
    jobs.cancel,
    jobs.receipt,
    rerunning.rerun,
    rerunning.redrive,
    queues.queues,
    queues.pause,
    language.schema,
    doctor.doctor,
):
    app.command()(command)
app.add_typer(presets.app, name="presets")
app.add_typer(laptop.app, name="local")


def main() -> None:
    """The entry point of the `mayfly` program."""
    for stream in (sys.stdout, sys.stderr):
        _forgive(stream)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(ends.INTERRUPTED)
    except BrokenPipeError:
        # Python would complain once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception:  # noqa: BLE001 - whatever it is, it is ours, and exit code 1 is the job's
        traceback.print_exc()
        print("This is a bug in Mayfly; please report it with the lines above.", file=sys.stderr)
        sys.exit(ends.BUG)


def _forgive(stream: TextIO) -> None:
    """A terminal that knows no arrow shows a question mark instead of ending the command."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")


def _interrupt(_number: int, _frame: object) -> None:
    """`kill` means what Ctrl-C means: stop in order."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
