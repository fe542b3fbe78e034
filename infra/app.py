"""The CDK app's entry: `python -m infra.app --out build/cdk.out [-c key=value …]`.

It writes a cloud assembly and does nothing else: no account, no network, no Docker. The CDK
command line can run it too (`cdk synth -a "python -m infra.app"`).
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from aws_cdk import App

from infra.config import Config, ConfigError
from infra.stack import MayflyStack

#: The call was wrong.
EXIT_WRONG_CALL = 2


def build(config: Config, *, out: Path | None = None) -> tuple[App, MayflyStack]:
    """The app and its one stack, not yet synthesised. Raises ConfigError."""
    for package in ("dispatcher", "completion_handler"):
        if not (config.build_dir / package).is_dir():
            raise ConfigError(
                f"There is no staged code in {config.build_dir / package}; "
                "run `make build` first, or give -c build_dir=FOLDER."
            )
    app = App(
        outdir=str(out) if out else None,
        # Our assembly is read by our own deployer and by people: no metadata resource that phones
        # home, no construct tree.
        analytics_reporting=False,
        tree_metadata=False,
    )
    return app, MayflyStack(app, config=config)


def context_of(arguments: Sequence[str], cdk_context: str) -> dict[str, object]:
    """Settings from the CDK command line's context, then from ours, which wins."""
    context: dict[str, object] = dict(json.loads(cdk_context or "{}"))
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals:
            raise ConfigError(f"-c takes key=value; it got {argument!r}.")
        context[key] = value
    return context


def main(argv: Sequence[str] | None = None) -> int:
    """Synthesises; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m infra.app", description=__doc__)
    parser.add_argument("--out", type=Path, help="the folder to write the cloud assembly to")
    parser.add_argument(
        "-c", "--context", action="append", default=[], metavar="KEY=VALUE", help="a setting"
    )
    given = parser.parse_args(argv)
    try:
        cdk_context = os.environ.get("CDK_CONTEXT_JSON", "")
        config = Config.from_context(context_of(given.context, cdk_context))
        app, _ = build(config, out=given.out)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_WRONG_CALL
    app.synth()
    return 0


if __name__ == "__main__":
    sys.exit(main())
