"""The search for a rate factor, and which rungs are worth it."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.contract import wire
from mayfly.contract.plan import Decided, Factor, Plan
from mayfly.contract.recipe import (
    Box,
    LadderOutput,
    PosterOutput,
    Quality,
    Recipe,
    Rung,
    VideoOutput,
)
from mayfly.core import parts, quality

BOUNDS = (12, 40)


def searched(look: "dict[int, float]", wanted: float, first: int = 23) -> dict[int, float]:
    """What was tried, of pictures that look like this."""
    tried: dict[int, float] = {}
    while (factor := quality.next_factor(wanted, BOUNDS, first, tried)) is not None:
        assert factor not in tried
        tried[factor] = look[factor]
    return tried


def straight(at_23: float, slope: float) -> dict[int, float]:
    return {crf: max(0.0, min(100.0, at_23 - slope * (crf - 23))) for crf in range(64)}


@pytest.mark.parametrize("wanted", [60.0, 80.0, 90.0, 93.0, 95.0])
@pytest.mark.parametrize("slope", [0.4, 1.0, 1.6, 3.0])
@pytest.mark.parametrize("at_23", [78.0, 88.0, 93.5, 97.0])
def test_a_search_ends_at_the_worst_factor_that_looks_good_or_one_beside_it(
    wanted: float, slope: float, at_23: float
) -> None:
    look = straight(at_23, slope)
    tried = searched(look, wanted)
    best = max((crf for crf in range(12, 41) if look[crf] >= wanted), default=12)
    assert len(tried) <= quality.TRIES_MAX
    assert abs(quality.chosen(wanted, tried) - best) <= 1


@given(
    st.lists(st.floats(min_value=0, max_value=100), min_size=64, max_size=64),
    st.floats(min_value=30, max_value=99),
    st.integers(min_value=1, max_value=63),
)
def test_a_search_stays_within_its_bounds_however_films_look(
    looks: list[float], wanted: float, first: int
) -> None:
    look = dict(enumerate(sorted(looks, reverse=True)))
    tried = searched(look, wanted, first)
    assert all(12 <= crf <= 40 for crf in tried) and 1 <= len(tried) <= quality.TRIES_MAX
    chosen = quality.chosen(wanted, tried)
    assert look[chosen] >= wanted or all(vmaf < wanted for vmaf in tried.values())


def test_what_no_factor_reaches_is_made_with_the_best_there_is() -> None:
    tried = searched(straight(40.0, 0.1), 95.0)
    assert quality.chosen(95.0, tried) == 12


def test_a_rung_that_looks_like_the_one_below_it_is_not_made() -> None:
    assert quality.apart([70.0, 84.0, 84.6, 90.0], 1) == (True, True, False, True)
    assert quality.apart([70.0, 70.6, 71.2], 1) == (True, False, True), "by the last one made"
    assert quality.apart([95.0], 1) == (True,)
    assert quality.apart([95.0, 94.0], 1) == (True, False)


def a_recipe() -> Recipe:
    rungs = tuple(Rung(box=Box(width=w, height=w), crf=20) for w in (640, 320, 160))
    return Recipe(
        outputs=(
            VideoOutput(quality=Quality(vmaf=93), maxrate_kbps=900),
            PosterOutput(),
            LadderOutput(rungs=rungs, quality=Quality(vmaf=90), vmaf_apart=1),
            VideoOutput(file="plain.mp4", crf=30),
        )
    )


def test_a_recipe_that_is_settled_leaves_nothing_open_and_all_else_as_it_was() -> None:
    asked = a_recipe()
    factors = (
        Factor(output=0, crf=27, vmaf=93.2),
        Factor(output=2, rung=0, crf=24, vmaf=90.4),
        Factor(output=2, rung=1, crf=25, vmaf=90.1, made=False),
    )
    settled = quality.settled(asked, Decided(factors=factors, windows=()))
    film, poster, ladder, plain = settled.outputs
    assert quality.asks(asked) and not quality.asks(settled)
    assert isinstance(film, VideoOutput) and (film.crf, film.maxrate_kbps) == (27, 900)
    assert (poster, plain) == (asked.outputs[1], asked.outputs[3])
    assert isinstance(ladder, LadderOutput)
    assert [(rung.box.width, rung.crf) for rung in ladder.rungs] == [(640, 24)]
    assert quality.settled(asked, None) is asked


PLAN = Plan(
    time_base=(1, 12800),
    origin_ticks=0,
    margin_seconds=1.0,
    boundaries=(12800,),
    quality=Decided(
        factors=(Factor(output=0, crf=27, vmaf=93.2),), windows=((0, 512), (1024, 2048))
    ),
)


def test_what_was_decided_goes_with_a_plan_to_each_of_its_parts() -> None:
    assert parts.flaw(PLAN) == ""
    again = wire.decode(Plan, wire.encode(PLAN))
    assert again.scope(1).clock.quality == again.clock.quality == PLAN.quality


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"factors": (Factor(output=0, crf=64, vmaf=1.0),)}, "a crf that no codec has"),
        ({"factors": (Factor(output=0, crf=1, vmaf=1.0),) * 200}, "200 crfs"),
        ({"windows": ((0, 1),) * 65}, "65 windows"),
        ({"windows": ((0, 2**63),)}, "64 bits"),
    ],
)
def test_a_decision_that_nobody_could_have_made_is_a_flaw(
    changed: dict[str, object], says: str
) -> None:
    assert PLAN.quality is not None
    decided = msgspec.structs.replace(PLAN.quality, **changed)
    assert says in parts.flaw(msgspec.structs.replace(PLAN, quality=decided))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"quality": {"vmaf": 93}, "crf": 20}, "leave these out"),
        ({"quality": {"vmaf": 93}, "bitrate_kbps": 500}, "leave these out"),
        ({"quality": {"vmaf": 93, "crf_max": 60}}, "crf_max up to 51"),
        ({"quality": {"vmaf": 93, "crf_min": 45}}, "no crf is from 45 to 40"),
        ({"quality": {"vmaf": 100}}, "from 30 to 99"),
    ],
)
def test_a_quality_that_cannot_be_is_refused_with_a_sentence(
    fields: dict[str, object], says: str
) -> None:
    with pytest.raises(wire.Refusal, match=says):
        wire.convert(Recipe, {"outputs": [{"kind": "video", **fields}]})
