"""A sample of the kill matrix (`make kills` is all of it): workers of a film that is cut die, with
notice and without, and the film is the same.
"""

from pathlib import Path

import pytest

from mayfly.core import limits
from tests.kills import matrix
from tests.kills.points import Point

pytestmark = pytest.mark.timeout(600)

POINTS = (
    Point(announced=True, part=0.6),
    Point(announced=False, part=0.3),
    Point(announced=True, part=0.0),
    Point(announced=False, part=0.75),
)


def test_workers_that_die_leave_the_same_film_and_nothing_is_done_twice(tmp_path: Path) -> None:
    source = matrix.make_source(tmp_path / "film.mp4", seconds=13, size="640x360")
    with matrix.cloud(
        tmp_path / "cloud", chunk_seconds=1, stop_seconds=limits.STOP_SECONDS
    ) as cloud:
        deaths, flaws = matrix.Matrix(cloud, source, warm=False).struck(POINTS)
    assert flaws == []
    assert {death.point for death in deaths} == set(POINTS)
    for death in deaths:
        # In a notice it may wait as long again as it had worked, and ends ffmpeg.
        allowed = 2 * death.age_seconds + 2 if death.point.announced else death.age_seconds
        assert death.lost_seconds <= allowed, death
