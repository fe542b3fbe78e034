"""What is in a file, as ffprobe tells it, typed.

It must never ask anybody: `prober` does.
"""

from fractions import Fraction

import msgspec

from mayfly.contract.report import Media


class SideData(msgspec.Struct, frozen=True, kw_only=True):
    """Of what lies beside a stream or a frame: which way up it is, which kind of Dolby Vision, and
    on which screen it was made."""

    rotation: float = 0.0
    dv_profile: int | None = None
    red_x: str = ""
    red_y: str = ""
    green_x: str = ""
    green_y: str = ""
    blue_x: str = ""
    blue_y: str = ""
    white_point_x: str = ""
    white_point_y: str = ""
    min_luminance: str = ""
    max_luminance: str = ""
    max_content: int = 0
    max_average: int = 0


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """One stream, with ffprobe's names."""

    index: int
    codec_type: str = ""
    codec_name: str = ""
    profile: str = ""
    codec_tag_string: str = ""
    width: int = 0
    height: int = 0
    sample_aspect_ratio: str = ""
    pix_fmt: str = ""
    color_range: str = ""
    color_space: str = ""
    color_transfer: str = ""
    color_primaries: str = ""
    field_order: str = ""
    #: How many frames a decoder holds back, since some are shown later than they are decoded.
    has_b_frames: int = 0
    avg_frame_rate: str = "0/0"
    r_frame_rate: str = "0/0"
    time_base: str = "0/1"
    start_time: float | None = None
    duration: float | None = None
    nb_frames: int | None = None
    nb_read_packets: int | None = None
    sample_fmt: str = ""
    sample_rate: int = 0
    channels: int = 0
    disposition: dict[str, int] = {}
    #: A stranger's words: its language, and what it calls itself.
    tags: dict[str, str] = {}
    side_data_list: tuple[SideData, ...] = ()

    @property
    def language(self) -> str:
        """As it says."""
        return self._said("language")

    @property
    def title(self) -> str:
        """As it says. ISO boxes call it a name."""
        return self._said("title") or self._said("name")

    def _said(self, name: str) -> str:
        return next((text for tag, text in self.tags.items() if tag.lower() == name), "")

    @property
    def rotation(self) -> float:
        """Degrees, counter-clockwise."""
        return next((side.rotation for side in self.side_data_list if side.rotation), 0.0)

    @property
    def dolby_vision(self) -> int | None:
        """Its profile; None of what is none."""
        return next((s.dv_profile for s in self.side_data_list if s.dv_profile is not None), None)

    @property
    def tick(self) -> Fraction:
        """Seconds of a tick of its clock."""
        above, _, below = self.time_base.partition("/")
        return Fraction(int(above), int(below or 1))

    @property
    def frames_per_second(self) -> float:
        """The average; 0 when unknown."""
        return ratio(self.avg_frame_rate) or ratio(self.r_frame_rate)


class Format(msgspec.Struct, frozen=True, kw_only=True):
    """The container."""

    format_name: str = ""
    start_time: float | None = None
    duration: float | None = None
    nb_streams: int = 0
    tags: dict[str, str] = {}


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """What lies beside one frame."""

    side_data_list: tuple[SideData, ...] = ()


class Frames(msgspec.Struct, frozen=True, kw_only=True):
    """Some frames, decoded."""

    frames: tuple[Beside, ...] = ()


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """A file's container and streams."""

    format: Format
    streams: tuple[Stream, ...] = ()

    def picture(self) -> Stream | None:
        """The video: the one with most pixels. A cover is a picture attached to sound, no video."""
        moving = [
            stream
            for stream in self.streams
            if stream.codec_type == "video"
            and stream.codec_name
            and not any(
                stream.disposition.get(name)
                for name in ("attached_pic", "timed_thumbnails", "still_image")
            )
        ]
        return max(moving, key=lambda stream: stream.width * stream.height, default=None)

    def sound(self) -> Stream | None:
        """The first of its sound tracks."""
        return next(iter(self.sounds()), None)

    def sounds(self) -> tuple[Stream, ...]:
        """Its sound tracks that a decoder is known for, in its order."""
        return tuple(
            stream
            for stream in self.streams
            if stream.codec_type == "audio" and stream.codec_name not in ("", "unknown")
        )

    @property
    def tags(self) -> dict[str, str]:
        """What it says of itself. Ogg says that of its sound."""
        sound = self.sound()
        ogg = self.format.format_name == "ogg" and sound is not None
        return {**(sound.tags if ogg and sound is not None else {}), **self.format.tags}

    def media(self, *, frames: int | None = None) -> Media:
        """As a report tells it."""
        picture, sound = self.picture(), self.sound()
        return Media(
            container=self.format.format_name,
            duration_seconds=self.format.duration,
            video_codec=picture.codec_name if picture else None,
            width=picture.width if picture else None,
            height=picture.height if picture else None,
            frames=frames,
            audio_codec=sound.codec_name if sound else None,
            sample_rate_hz=sound.sample_rate if sound else None,
            channels=sound.channels if sound else None,
        )


def ratio(text: str) -> float:
    """`30000/1001`, `64:45` and the like; 0 when it is none."""
    above, _, below = text.replace(":", "/").partition("/")
    try:
        return float(above) / float(below or 1)
    except (ValueError, ZeroDivisionError):
        return 0.0
