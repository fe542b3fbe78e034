"""Which frames become pictures, how these lie in a file, and what the cues say: without ffmpeg."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.contract.recipe import Box, PreviewOutput
from worker import cues, jpegs, preview
from worker.boxes import Malformed
from worker.cues import Board
from worker.ends import WorkFailed
from worker.picture import Size
from worker.sampling import Sampling, places_of, sampling

TICKS = st.sampled_from(
    [Fraction(1, 25), Fraction(1001, 30000), Fraction(1, 90000), Fraction(1, 1000), Fraction(3, 2)]
)
OPEN = st.builds(Sampling, tick=TICKS, step_seconds=st.integers(1, 3600).map(Fraction))
PLACES = st.builds(
    Sampling,
    tick=TICKS,
    step_seconds=st.sampled_from([Fraction(1, 4), Fraction(1, 25)]),
    places=st.lists(st.integers(0, 10**6), min_size=1, max_size=8, unique=True).map(
        lambda found: tuple(sorted(found))
    ),
    slots=st.integers(1, 250),
)
SAMPLINGS = OPEN | PLACES
#: Distances of frames, from the origin on.
GAPS = st.lists(st.integers(1, 400_000), min_size=1, max_size=60)


def moments(gaps: list[int]) -> list[int]:
    return [sum(gaps[:n]) for n in range(len(gaps))]


@given(every=SAMPLINGS, gaps=GAPS, cut=st.integers(1, 59))
def test_chunks_choose_what_the_whole_chooses(every: Sampling, gaps: list[int], cut: int) -> None:
    ticks = moments(gaps)
    head, tail = ticks[:cut], ticks[cut:]
    in_parts = every.chosen(head) + every.chosen(tail, head[-1])
    assert in_parts == every.chosen(ticks)


@given(every=OPEN, gaps=GAPS)
def test_of_each_stretch_with_a_frame_the_first_is_chosen(every: Sampling, gaps: list[int]) -> None:
    ticks = moments(gaps)
    first: dict[int, int] = {}
    for tick in ticks:
        first.setdefault(math.floor(tick * every.tick / every.step_seconds), tick)
    assert every.chosen(ticks) == list(first.values())


@given(every=OPEN, tick=st.integers(0, 1 << 41), near=st.integers(-1, 1))
def test_numbers_of_a_filter_are_exact_enough(every: Sampling, tick: int, near: int) -> None:
    """ffmpeg reckons in doubles: at a boundary as well, that comes to the same."""
    steps = every.tick / every.step_seconds
    boundary = math.ceil((every.stretch(tick) or 0) / steps)
    for one in (tick, max(0, boundary + near)):
        if one * steps.numerator < 1 << 53:
            reckoned = math.floor(float(one) * steps.numerator / steps.denominator)
            assert reckoned == every.stretch(one)


def test_a_filter_asks_for_the_frame_before_and_for_a_chunks_first() -> None:
    every = Sampling(tick=Fraction(1, 25), step_seconds=Fraction(10))
    same = "eq(floor((pts-0)*1/250),floor((prev_pts-0)*1/250))"
    changed = f"gte(pts,0)*not(gte(prev_pts,0)*{same})"
    assert every.expression() == changed
    assert every.expression(500) == f"{changed}+not(gte(prev_pts,500))"


@given(
    ticks=st.lists(st.integers(0, 10**7), min_size=1, max_size=30, unique=True).map(sorted),
    tick=TICKS,
    output=st.builds(
        PreviewOutput,
        seconds=st.integers(1, 30),
        fps=st.sampled_from([4, 5, 10, 20, 25]),
        places=st.integers(1, 8),
        box=st.just(Box(width=64, height=36)),
    ),
)
def test_a_preview_has_a_picture_for_each_of_its_moments(
    ticks: list[int], tick: Fraction, output: PreviewOutput
) -> None:
    places = places_of(output, ticks, tick)
    assert len(places) == output.places and list(places) == sorted(set(places))
    assert places[0] >= ticks[0]
    every = sampling(output, tick, places)
    assert places_of(output, [ticks[0], ticks[-1]], tick) == places, "ends are enough to know"
    shown = every.chosen(ticks)
    if not shown:
        return  # a gap as long as a place
    numbers = preview.filled(every, shown, 2 * ticks[-1] - ticks[0] + 1)
    assert sorted(set(numbers)) == list(range(len(shown))) and numbers == sorted(numbers)
    assert len(numbers) <= output.pictures


def test_what_stands_on_stands_until_the_next_place_or_the_end() -> None:
    every = Sampling(tick=Fraction(1, 10), step_seconds=Fraction(1, 10), places=(0, 20), slots=4)
    assert preview.filled(every, [1, 3, 22], 100) == [0, 0, 1, 1, 1, 2, 2]
    assert preview.filled(every, [1, 3, 22], 23) == [0, 0, 1, 1, 1, 2]
    assert preview.filled(every, [0], None) == [0]


def test_a_webp_is_measured_by_its_chunks() -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return kind + len(body).to_bytes(4, "little") + body + b"\0" * (len(body) % 2)

    def riff(*chunks: bytes) -> bytes:
        body = b"WEBP" + b"".join(chunks)
        return b"RIFF" + len(body).to_bytes(4, "little") + body

    head = chunk(b"VP8X", bytes(4) + b"\x3f\0\0\x23\0\0")
    frame = chunk(b"ANMF", bytes(12) + b"\x64\0\0" + bytes(2))
    assert preview.webp(riff(head, frame, frame)) == (Size(64, 36), 200)
    still = chunk(b"VP8 ", bytes(6) + b"\x40\0\x24\0")
    assert preview.webp(riff(still)) == (Size(64, 36), None)
    for broken in (b"", riff(head, frame)[:-1], riff(head, frame[:-3])):
        assert preview.webp(broken) == (Size(0, 0), None)


# --- Pictures one behind the other ------------------------------------------------------------


def jpeg(width: int, height: int, *, comment: bytes = b"", scan: bytes = b"\x01\xff\x00") -> bytes:
    """The bones of one; a comment may hold what looks like an end."""
    said = b"\xff\xfe" + (2 + len(comment)).to_bytes(2, "big") + comment
    frame = b"\x08" + height.to_bytes(2, "big") + width.to_bytes(2, "big")
    sized = b"\xff\xc0" + (2 + len(frame)).to_bytes(2, "big") + frame
    return b"\xff\xd8" + said + sized + b"\xff\xda\x00\x04\x00\x00" + scan + b"\xff\xd9"


def test_pictures_are_told_apart_and_measured() -> None:
    one, two = jpeg(64, 36, comment=b"\xff\xd9\xff\xd8"), jpeg(8, 300, scan=b"\xff\xd0\x07")
    found = jpegs.pictures(one + two)
    assert [(its.start, its.size) for its in found] == [(0, len(one)), (len(one), len(two))]
    assert [(its.width, its.height) for its in found] == [(64, 36), (8, 300)]
    assert jpegs.pictures(b"") == []


@given(content=st.binary(max_size=40), at=st.integers(0, 60))
def test_what_is_no_picture_is_refused(content: bytes, at: int) -> None:
    one = jpeg(64, 36)
    for bad in (one[:at] if at < len(one) else one + b"x", b"\xff\xd8" + content, one + content):
        try:
            found = jpegs.pictures(bad)
        except Malformed:
            continue
        assert sum(its.size for its in found) == len(bad)
        assert all(its.width > 0 for its in found)


def test_a_picture_without_a_size_is_refused() -> None:
    with pytest.raises(Malformed, match="no size"):
        jpegs.pictures(b"\xff\xd8\xff\xd9")


# --- Cues -------------------------------------------------------------------------------------


def board(count: int = 7, **changed: object) -> Board:
    laid: dict[str, object] = {
        "columns": 3,
        "rows": 2,
        "size": Size(64, 36),
        "every_seconds": 10,
        "stretches": tuple(range(count)),
        "until": Fraction(65),
    }
    return Board(**{**laid, **changed})  # type: ignore[arg-type]


@given(
    stretches=st.lists(st.integers(0, 9999), min_size=1, max_size=50, unique=True).map(sorted),
    every=st.integers(1, 3600),
    until=st.fractions(0, 10**6) | st.none(),
    columns=st.integers(1, 20),
    rows=st.integers(1, 20),
)
def test_cues_are_read_back(
    stretches: list[int], every: int, until: Fraction | None, columns: int, rows: int
) -> None:
    laid = board(
        stretches=tuple(stretches), every_seconds=every, until=until, columns=columns, rows=rows
    )
    cues.check(cues.written(laid), laid)


@pytest.mark.parametrize(
    ("was", "becomes", "detail"),
    [
        ("WEBVTT", "WEBVT", "7 cues for 7"),
        ("00:00:10.000 --> ", "00:00:11.000 --> ", "begins at 11000 ms, not at 10000"),
        ("#xywh=128,36", "#xywh=129,36", "beyond its sheet"),
        ("#xywh=128,36", "#xywh=64,36", "one place twice"),
        ("sheet-002", "sheet-003", "other sheets"),
        (",64,36\n\n00:00:50", ",64,35\n\n00:00:50", "another size"),
        ("sheet-001.jpg#xywh=0,0", "sheet-001.jpg", "cannot be read"),
    ],
)
def test_cues_that_lead_astray_are_not_delivered(was: str, becomes: str, detail: str) -> None:
    text = cues.written(board())
    assert was in text
    with pytest.raises(WorkFailed, match=detail):
        cues.check(text.replace(was, becomes, 1), board())


def test_a_cue_too_few_is_missed() -> None:
    with pytest.raises(WorkFailed, match="6 cues for 7 pictures"):
        cues.check(cues.written(board(6)), board())
