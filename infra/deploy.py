"""Puts Mayfly into an AWS account and takes it out: `python -m infra.deploy deploy|destroy`.

It composes what others do: the image is built and pushed, the template is synthesised with the
image's digest in it, and the stack is changed. It goes where the AWS environment points, be that
an account or, with AWS_ENDPOINT_URL, a laptop. It asks no questions: a flag says what may be lost.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from build_tools import image_tools, push
from mayfly.aws import clients, errors, images, stack
from mayfly.aws.dynamodb import DynamoTable
from mayfly.core.changes import Create
from mayfly.core.rows import PAUSED_KEY
from mayfly.perform.ports import Conflict, Temporary

#: The stack (or AWS) said no; the call was wrong; the stack is not there.
EXIT_FAILED, EXIT_WRONG_CALL, EXIT_NO_STACK = 1, 2, 3

#: What a terminal shows of a deployment: ends, and what went wrong. Beginnings only scroll.
_QUIET_ENDINGS = ("_IN_PROGRESS",)


class WrongCall(Exception):
    """A setting that cannot be; whoever found it has said so already."""


def deploy(options: argparse.Namespace) -> int:
    """Image, template, stack; prints the outputs."""
    image = options.image or _pushed_image(options)
    _synthesise(options, image)
    outputs = stack.deploy(clients.make, options.out, options.stack, on_event=_show)
    for name, value in sorted(outputs.items()):
        print(f"  {name:20} {value}")
    bucket, preset = outputs.get("Bucket", "…"), outputs.get("DefaultPreset", "…")
    print(f"\n{options.stack} stands. Try it: aws s3 cp film.mp4 s3://{bucket}/uploads/{preset}/")
    return 0


def destroy(options: argparse.Namespace) -> int:
    """Pauses, drains, deletes; says what stays."""
    outputs = stack.outputs(clients.make, options.stack)

    def pause() -> None:
        if table := outputs.get("Table"):
            _pause(table)

    ended = stack.destroy(
        clients.make,
        options.stack,
        before_delete=pause,
        delete_data=options.delete_data,
        drain_seconds=options.drain_seconds,
        on_event=_show,
    )
    if images.remove_repository(clients.make, options.stack):
        print(f"  {options.stack}: removed the repository of its images")
    for sentence in ended.kept:
        print(sentence)
    if not outputs:
        print(f"There is no stack {options.stack} here.")
        return EXIT_NO_STACK
    print(f"{options.stack} is gone.")
    return 0


def _pushed_image(options: argparse.Namespace) -> str:
    """The image by its digest, in a repository of this stack; built only if it is not there."""
    repository = images.ensure_repository(clients.make, options.stack)
    tag = push.tag_of(options.arch)
    digest = images.digest_of(clients.make, options.stack, tag)
    if digest is None:
        login = images.login(clients.make)
        push.push(
            options.arch,
            f"{repository}:{tag}",
            base=options.base,
            user=login.user,
            password=login.password,
        )
        digest = images.digest_of(clients.make, options.stack, tag)
    return f"{repository}@{digest}"


def _synthesise(options: argparse.Namespace, image: str) -> None:
    """Writes the assembly. CDK is imported here: destroying needs none of it."""
    from infra import app

    settings = [
        f"stack={options.stack}",
        f"image={image}",
        f"worker_architecture={options.arch}",
        *options.context,
    ]
    arguments = [word for setting in settings for word in ("-c", setting)]
    if app.main(["--out", str(options.out), *arguments]):
        raise WrongCall


def _pause(table: str) -> None:
    """The row that stops every planner; whoever wrote it before us is content too."""
    try:
        DynamoTable(clients.dynamodb(), table).commit([Create(key=PAUSED_KEY, item={})])
    except Conflict:
        return


def _show(step: stack.Step) -> None:
    if not step.status.endswith(_QUIET_ENDINGS):
        print("  " + " ".join(filter(None, (step.name, step.status, step.reason))), flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.deploy", description=__doc__)
    commands = parser.add_subparsers(required=True)
    up = commands.add_parser("deploy", help="create the stack or bring it up to date")
    up.set_defaults(run=deploy)
    up.add_argument("--stack", default="mayfly")
    up.add_argument("--out", type=Path, default=Path("build/cdk.out"), help="for the template")
    up.add_argument("--image", default="", help="of the worker; built and pushed when not given")
    up.add_argument("--arch", choices=("x86_64", "arm64"), default="x86_64", help="of the workers")
    up.add_argument("--base", default="registry", help="see `docker/build.sh --help`")
    up.add_argument("-c", "--context", action="append", default=[], metavar="KEY=VALUE")
    down = commands.add_parser("destroy", help="delete the stack and whatever it hatched")
    down.set_defaults(run=destroy)
    down.add_argument("--stack", default="mayfly")
    down.add_argument("--delete-data", action="store_true", help="uploads and outputs go too")
    down.add_argument(
        "--drain-seconds", type=float, default=600, help="for busy workers to finish; default 600"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        with errors.judging("The call"):
            return int(options.run(options))
    except WrongCall:
        return EXIT_WRONG_CALL
    except (stack.StackFailed, stack.StackBusy, stack.AssemblyUnreadable) as error:
        print(error, file=sys.stderr)
    except image_tools.Unable as error:
        print(error, file=sys.stderr)
    except (errors.Refused, Temporary) as error:
        print(f"{error} Who you are there: aws sts get-caller-identity", file=sys.stderr)
    return EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
