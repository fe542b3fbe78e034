"""What is kept of a stranger's subtitle, how it is written, and that nothing else is read back."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.core import languages
from worker.ends import WorkFailed
from worker.probe import Stream
from worker.subtitle_clock import Said, on_clock, said
from worker.subtitle_files import FROM_ZERO, subrip, webvtt
from worker.subtitle_packets import Event, EventList, Packet, PacketList
from worker.subtitle_reading import check_subrip, check_webvtt
from worker.subtitle_text import CHARACTERS_MAX, Cue, Line, Run, lines_of


def told(event: str, *, comments: bool = False) -> str:
    return webvtt([Cue(0, 1, lines_of(event, comments=comments))]).split("\n", 3)[3].strip("\n")


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (r"one\Ntwo\nthree", "one\ntwo\nthree"),
        (r"{\b1}b{\b0}{\i1}i{\i0}{\u1}u{\u0}", "<b>b</b><i>i</i><u>u</u>"),
        (r"{\b700}b{\r}plain{\b400}plain{\be1\bord3\blur2}plain", "<b>b</b>plainplainplain"),
        (r"{\an8\pos(1,2)\c&HFF&\fnArial\i1}top{\rOther} plain", "<i>top</i> plain"),
        (r"{\p1}m 0 0 l 9 9{\p0}drawn {\pos(1,1)}{\pbo3}not", "drawn not"),
        (r"{\k20}ka{\k30}ra{\kf10}oke", "karaoke"),
        (r"\N\N  one  \N\N\h\Ntwo\N", "one\ntwo"),
        (r"a\hb", "a\u00a0b"),
        ("<b>&amp;</b>", "&lt;b&gt;&amp;amp;&lt;/b&gt;"),
        ("a\r\nb\x00\x1b[2J\x0bc\u2028d\ufeffe\u2060f", "a b[2Jc def"),
        (r"{never closed", "{never closed"),
        (r"\{brace\}", "{brace}"),
        ("00:00:01.000 --> 00:00:02.000", "00:00:01.000 --&gt; 00:00:02.000"),
    ],
)
def test_what_is_kept_is_text_and_three_ways_it_may_look(event: str, text: str) -> None:
    assert told(event) == text


def test_braces_hide_what_only_an_author_of_ass_hides_in_them() -> None:
    assert told("a {note} b", comments=True) == "a  b"
    assert told("a {note} b") == "a {note} b"


def test_nothing_to_be_seen_is_no_subtitle() -> None:
    for event in ("", r"\N\h ", r"{\i1}{\i0}", r"{\p1}m 0 0", "\x01"):
        assert lines_of(event, comments=False) == ()


def test_more_than_a_screen_full_is_refused() -> None:
    for event in ("x" * (CHARACTERS_MAX + 1), r"{\i1}" * CHARACTERS_MAX * 4):
        with pytest.raises(WorkFailed) as refused:
            lines_of(event, comments=False)
        assert refused.value.code == "source_absurd"


_WORDS = st.text(st.sampled_from("a<>&{}\\/-!bpiuNnh10;\n\r\x00\x85\u2028\u2029\u2060\ufeff ")) | (
    st.text()
)


@given(events=st.lists(st.tuples(_WORDS, st.booleans()), max_size=6))
def test_whatever_is_said_is_written_so_that_it_is_read_back(
    events: list[tuple[str, bool]],
) -> None:
    found = [
        Said(Fraction(number), Fraction(2), lines_of(event, comments=comments))
        for number, (event, comments) in enumerate(events)
    ]
    cues = on_clock(found, Fraction(0), Fraction(5))
    check_webvtt(webvtt(cues, FROM_ZERO), cues, FROM_ZERO, until_ms=5000)
    check_subrip(subrip(cues), cues, until_ms=5000)


ONE = (Cue(1000, 2000, ((Run("one"),),)),)


@pytest.mark.parametrize(
    "text",
    [
        "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\none",
        "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\none\n\nNOTE x\n\n",
        "WEBVTT\n\n00:00:01.000 --> 00:00:02.000 line:0\none\n\n",
        "WEBVTT\n\nid\n00:00:01.000 --> 00:00:02.000\none\n\n",
        "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n<c>one</c>\n\n",
        "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n<b>one\n\n",
        "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\none</b>\n\n",
        "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\none &\n\n",
        "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\none\n \n\n",
        "WEBVTT\n\n00:00:01.001 --> 00:00:02.000\none\n\n",
        "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\ntwo\n\n",
        "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\none\n\n" * 2,
        "WEBVTT X\n\n00:00:01.000 --> 00:00:02.000\none\n\n",
        "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\r\none\n\n",
    ],
)
def test_what_is_not_just_that_is_not_delivered(text: str) -> None:
    check_webvtt(webvtt(ONE), ONE)
    with pytest.raises(WorkFailed) as refused:
        check_webvtt(text, ONE)
    assert refused.value.code == "output_broken"


def test_a_subtitle_beyond_the_film_is_not_delivered() -> None:
    with pytest.raises(WorkFailed):
        check_webvtt(webvtt(ONE), ONE, until_ms=1999)


# --- When -------------------------------------------------------------------------------------


LINE: tuple[Line, ...] = ((Run("x"),),)


def clocked(*times: tuple[int, int], origin: int = 0, until: int = 10**6) -> list[tuple[int, int]]:
    found = [Said(Fraction(at, 1000), Fraction(lasts, 1000), LINE) for at, lasts in times]
    cues = on_clock(found, Fraction(origin, 1000), Fraction(until, 1000))
    return [(cue.start_ms, cue.end_ms) for cue in cues]


def test_what_nobody_ended_ends_with_the_next_or_after_a_while() -> None:
    assert clocked((0, 0), (700, 0), (700, 100), (20_000, 0)) == [
        (0, 700), (700, 800), (700, 5700), (20_000, 25_000),
    ]  # fmt: skip


def test_times_begin_with_the_film_and_end_with_it() -> None:
    assert clocked((0, 500), (800, 400), (1500, 900), (2500, 9), origin=1000, until=1000) == [
        (0, 200), (500, 1000),
    ]  # fmt: skip


TRACK = Stream(index=2, codec_name="subrip", time_base="1/1000")


def event(ms: int, text: str = "0,0,Default,,0,0,0,,x, y") -> Event:
    return Event(ms, text.encode())


def test_each_packet_is_decoded_once_and_at_its_time() -> None:
    (one,) = said(TRACK, [Packet(500, 100, 3)], [event(500)])
    assert (one.at, one.duration, one.lines) == (Fraction(1, 2), Fraction(1, 10), ((Run("x, y"),),))
    late = [Packet(500, 1, 3), Packet(400, 1, 3)]  # a muxer's clock does not go back
    assert [one.at for one in said(TRACK, late, [event(500), event(500)])] == [
        Fraction(1, 2), Fraction(2, 5),
    ]  # fmt: skip
    for events in ([], [event(510)], [event(500), event(500)], [event(500, "too,few")]):
        with pytest.raises(WorkFailed) as refused:
            said(TRACK, [Packet(500, 100, 3)], events)
        assert refused.value.code == "source_corrupt"


def test_what_is_in_packets_is_read_by_its_digits_alone() -> None:
    events, packets = EventList(), PacketList()
    for line in (
        "[PACKET]", "stream_index=1", "pts=500", "data=",
        "00000000: 5b2f 5041 434b 4554 5d0a 7374 7265 616d  [/PACKET].stream",
        "00000010: 3d39                                     =9", "", "[/PACKET]",
    ):  # fmt: skip
        events.line(line.encode())
    assert events.events == {1: [Event(500, b"[/PACKET]\nstream=9")]}
    packets.line(b"2,500,N/A,12\n")
    assert packets.packets == {2: [Packet(500, 0, 12)]}
    with pytest.raises(WorkFailed):
        packets.line(b"2,N/A,10,12")


# --- Languages --------------------------------------------------------------------------------


def test_a_language_is_a_code_or_nothing() -> None:
    assert [languages.code(told) for told in ("eng", "EN", "en-US", "ger", "de_CH", "gsw")] == [
        "eng", "eng", "eng", "deu", "deu", "gsw",
    ]  # fmt: skip
    for told in ("", "und", "x", "english", 'en",URI="x', "en\n", "../", "zz"):
        assert languages.code(told) == ""
    assert [languages.tag("deu"), languages.tag("gsw")] == ["de", "gsw"]
    assert [languages.name("deu"), languages.name("gsw")] == ["German", "gsw"]
