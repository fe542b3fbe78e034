"""What the kill matrix draws, and what it takes for a flaw."""

from tests.kills.points import Death, Film, Point, points, summary

FILM = Film(joined="a", parts={("chunk-00001", "v.mp4"): "b"}, done={"chunk-00001": 1})


def test_every_step_of_a_life_is_a_point_with_notice_and_without() -> None:
    drawn = points(20)
    assert len(drawn) == len(set(drawn)) == 40
    assert {point.part for point in drawn if point.announced} == {n / 20 for n in range(20)}


def test_other_bytes_other_parts_and_what_was_done_twice_are_flaws() -> None:
    assert FILM.flaws(FILM) == []
    other = Film(joined="x", parts={("chunk-00001", "v.mp4"): "y"}, done={"chunk-00001": 2})
    assert other.flaws(FILM) == [
        "the joined file has other bytes",
        "v.mp4 of chunk-00001 has other bytes",
        "chunk-00001 was done 2 times",
    ]
    assert Film(joined="a", parts={}, done={}).flaws(FILM) != []


def test_what_was_lost_is_told_in_seconds_and_in_lives() -> None:
    def death(announced: bool, lost: float) -> Death:
        return Death(
            point=Point(announced=announced, part=0.5), task_id="chunk-00001", age_seconds=5,
            life_seconds=10, committed=not lost, lost_seconds=lost,
        )  # fmt: skip

    told = summary([death(True, 0), death(True, 1), death(False, 5)], [])
    assert told["value"] == 0.5
    assert told["conditions"]["unannounced_lives_lost"] == 0.5
    assert told["conditions"]["finished_in_their_notice"] == 1
