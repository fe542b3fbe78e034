"""`make sim-exhaustive`: the small model with every pair of misfortunes, and with all of them."""

import argparse
import dataclasses
import gc
import itertools
import json
import sys

from tests.simulation.small.invocations import Grain
from tests.simulation.small.model import Config, Model
from tests.simulation.small.search import Result, Search
from tests.simulation.small.states import Budget


def main() -> int:
    """0 when every law holds in every state."""
    asked = _arguments()
    broken = False
    for config in _configs(asked):
        result = explore(config, tell=not asked.quiet)
        broken = broken or bool(result.violation)
        print(_as_json(config, result) if asked.json else _in_words(config, result), flush=True)
    return int(broken)


def explore(config: Config, *, tell: bool = False) -> Result:
    """All of one model."""
    result = None
    gc.disable()  # nothing is ever let go of
    for result in Search(Model(config)).run():
        if tell:
            print(
                f"  {result.depth:3} moves away: {result.states:,} states,"
                f" {result.cpu_seconds:.0f} s",
                file=sys.stderr,
            )
    assert result is not None
    return result


def _configs(asked: argparse.Namespace) -> list[Config]:
    if asked.only is not None:
        wanted = [tuple(map(int, asked.only))]
    else:
        every = sorted(itertools.product((0, 1), repeat=4), key=sum)
        wanted = [faults for faults in every if sum(faults) <= asked.faults]
    budgets = [Budget(kills=k, losses=n, ticks=t, spares=s) for k, n, t, s in wanted]
    grain = Grain[asked.grain.upper()]
    return [Config(budget=budget, grain=grain, lags=asked.lags) for budget in budgets]


def _in_words(config: Config, result: Result) -> str:
    told = ", ".join(f"{n} {name}" for name, n in config.budget.told().items() if n)
    lags = "; a chunk may lag" if config.lags else ""
    said = (
        f"{told or 'no misfortune'}{lags}; a step is {config.grain.name.lower()}:"
        f" {result.states:,} states, {result.transitions:,} transitions, {result.depth} deep,"
        f" {result.ends} ends, {result.cpu_seconds:.1f} s of CPU,"
        f" {'complete' if result.complete else 'NOT complete'}"
    )
    if not result.violation:
        return said
    return "\n  ".join((said, f"VIOLATION: {result.violation}", *result.trace))


def _as_json(config: Config, result: Result) -> str:
    what = {**config.budget.told(), "lags": config.lags, "grain": config.grain.name.lower()}
    return json.dumps({**what, **dataclasses.asdict(result)})


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=2, help="at most so many at once")
    parser.add_argument("--only", help="kills, losses, ticks, second deliveries: as 1101")
    parser.add_argument("--grain", choices=[grain.name.lower() for grain in Grain], default="whole")
    parser.add_argument("--lags", action="store_true", help="a tick may find that a chunk lags")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
