"""The text of a manifest, to the letter, and its arithmetic: the same segments at the same times as
in the playlists, and a bandwidth that is enough.
"""

import math
from fractions import Fraction
from xml.etree import ElementTree as Xml

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.contract.ladder import Track
from mayfly.core import dash, ladders
from tests.unit.tracks import PICTURE, SMALL, SOUND, track

NAMESPACES = {"": "urn:mpeg:dash:schema:mpd:2011"}
RATES = st.sampled_from([(25, 1), (24000, 1001), (30000, 1001), (12, 1), (25, 2), (120, 1)])
LENGTHS = st.lists(
    st.tuples(st.integers(1, 300), st.integers(0, 10**7)), min_size=1, max_size=30
).map(lambda some: [*some, *some[:3]])


def test_a_manifest() -> None:
    assert (
        dash.manifest([PICTURE, SMALL], [SOUND])
        == """\
<?xml version='1.0' encoding='utf-8'?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011" type="static" mediaPresentationDuration="PT10.01S" minBufferTime="PT4.004S">
  <Period id="0" start="PT0S" duration="PT10.01S">
    <AdaptationSet id="0" contentType="video" mimeType="video/mp4" segmentAlignment="true" startWithSAP="1" par="16:9" maxWidth="1280" maxHeight="720" maxFrameRate="30000/1001">
      <SegmentTemplate timescale="30000" initialization="$RepresentationID$/init.mp4" media="$RepresentationID$/$Number%05d$.m4s" startNumber="0">
        <SegmentTimeline>
          <S t="0" d="120120" r="1" />
          <S d="60060" />
        </SegmentTimeline>
      </SegmentTemplate>
      <Representation id="v0" codecs="avc1.64001f" width="1280" height="720" frameRate="30000/1001" sar="1:1" bandwidth="3996004" />
      <Representation id="v1" codecs="avc1.64001f" width="640" height="360" frameRate="30000/1001" sar="1:1" bandwidth="399601" />
    </AdaptationSet>
    <AdaptationSet id="1" contentType="audio" mimeType="audio/mp4" segmentAlignment="true" startWithSAP="1">
      <SegmentTemplate timescale="48000" initialization="$RepresentationID$/init.mp4" media="$RepresentationID$/$Number%05d$.m4s" startNumber="0">
        <SegmentTimeline>
          <S t="0" d="192000" />
          <S d="191000" />
          <S d="97000" />
        </SegmentTimeline>
      </SegmentTemplate>
      <Representation id="a0" codecs="mp4a.40.2" audioSamplingRate="48000" bandwidth="127937">
        <AudioChannelConfiguration schemeIdUri="urn:mpeg:mpegB:cicp:ChannelConfiguration" value="2" />
      </Representation>
    </AdaptationSet>
  </Period>
</MPD>
"""  # noqa: E501 - to the letter
    )


def test_without_sound_there_is_one_set() -> None:
    root = Xml.fromstring(dash.manifest([SMALL], []))
    sets = root.findall("Period/AdaptationSet", NAMESPACES)
    assert [one.get("contentType") for one in sets] == ["video"]


@pytest.mark.parametrize(("channels", "place"), [(1, "1"), (6, "6"), (8, "12"), (7, None)])
def test_loudspeakers_are_named_by_their_places(channels: int, place: str | None) -> None:
    sound = msgspec.structs.replace(SOUND, channels=channels)
    root = Xml.fromstring(dash.manifest([PICTURE], [sound]))
    told = root.find(".//AudioChannelConfiguration", NAMESPACES)
    assert (told.get("value") if told is not None else None) == place


def test_names_are_those_of_the_files() -> None:
    """A player writes the track for one word, and the number in its form for another."""
    form = ladders.SEGMENT_TEMPLATE.replace("$RepresentationID$", "v3")
    assert form.replace("$Number%05d$", "%05d") % 41 == ladders.segment("v3", 41)


def test_a_portrait_in_odd_sizes_has_the_shape_of_its_largest() -> None:
    portrait = msgspec.structs.replace(PICTURE, width=406, height=720)
    small = msgspec.structs.replace(SMALL, width=204, height=360)
    text = dash.manifest([small, portrait], [])
    assert 'par="203:360" maxWidth="406" maxHeight="720"' in text


def seconds(duration: str | None) -> Fraction:
    assert duration is not None and duration[:2] == "PT" and duration[-1] == "S"
    return Fraction(duration[2:-1])


def timed(root: Xml.Element, kind: str) -> list[tuple[Fraction, Fraction]]:
    """When the segments of a set begin and end, as a player reckons it."""
    (template,) = root.findall(
        f"Period/AdaptationSet[@contentType='{kind}']/SegmentTemplate", NAMESPACES
    )
    at, found, clock = 0, [], int(template.get("timescale", ""))
    for run in template.findall("SegmentTimeline/S", NAMESPACES):
        at = int(run.get("t", at))
        for _ in range(int(run.get("r", 0)) + 1):
            ends = at + int(run.get("d", ""))
            found.append((Fraction(at, clock), Fraction(ends, clock)))
            at = ends
    return found


@given(LENGTHS, RATES, LENGTHS, st.sampled_from([8_000, 44_100, 48_000]))
def test_every_segment_is_where_it_is_to_the_tick(
    frames: list[tuple[int, int]],
    rate: tuple[int, int],
    samples: list[tuple[int, int]],
    rate_hz: int,
) -> None:
    picture = track(*frames, rate=rate)
    sound = track(*samples, name="a0", rate=(rate_hz, 1))
    root = Xml.fromstring(dash.manifest([picture], [sound]))
    for kind, one in (("video", picture), ("audio", sound)):
        step = 1 / Fraction(*one.rate)
        wanted = [(s.start * step, (s.start + s.length) * step) for s in one.segments]
        assert timed(root, kind) == wanted
    ends = max(timed(root, "video")[-1][1], timed(root, "audio")[-1][1])
    lasts = seconds(root.get("mediaPresentationDuration"))
    assert ends <= lasts < ends + Fraction(1, 10**6), "no player cuts the last frame off"
    (period,) = root.findall("Period", NAMESPACES)
    assert period.get("duration") == root.get("mediaPresentationDuration")


def enough(one: Track, buffer: Fraction, bits: Fraction) -> bool:
    """Whether a player that begins anywhere has every segment by the time that it begins."""
    step = 1 / Fraction(*one.rate)
    for first in range(len(one.segments)):
        arrived = 0
        for segment in one.segments[first:]:
            arrived += 8 * segment.size_bytes
            shown = buffer + (segment.start - one.segments[first].start) * step
            if arrived > bits * shown:
                return False
    return True


@given(LENGTHS, RATES, st.fractions(Fraction(1, 25), 12, max_denominator=10**6))
def test_the_bandwidth_is_enough_and_no_more(
    segments: list[tuple[int, int]], rate: tuple[int, int], buffer: Fraction
) -> None:
    made = track(*segments, rate=rate)
    bits = dash.steady_bits(made, buffer)
    assert enough(made, buffer, Fraction(bits))
    assert not bits or not enough(made, buffer, Fraction(bits - 1))


def test_the_buffer_is_the_longest_segment() -> None:
    root = Xml.fromstring(dash.manifest([SMALL], [SOUND]))
    assert seconds(root.get("minBufferTime")) == Fraction("4.004")
    thirds = track((1, 10), (1, 20), rate=(3, 1))
    root = Xml.fromstring(dash.manifest([thirds], []))
    assert seconds(root.get("minBufferTime")) == Fraction("0.333334")
    (made,) = root.findall(".//Representation", NAMESPACES)
    assert made.get("bandwidth") == str(math.ceil(160 / Fraction("0.333334")))


def test_a_day_in_two_seconds_each_is_listed_in_a_moment() -> None:
    """Neighbours of one length are one line, and the bandwidth is found in a few turns."""
    day = track(*((50, 1 + number * 7919 % 500_000) for number in range(43_200)), rate=(25, 1))
    text = dash.manifest([day], [])
    assert '<S t="0" d="25600" r="43199" />' in text
    assert len(text) < 1500
