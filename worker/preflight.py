"""Decides before the encode whether it can succeed: a source that cannot ends its job in seconds,
with a code of its own. Pure.

It must never be lenient where the proof would be strict: what passes here is worth its encode.
"""

import dataclasses
import math
from collections.abc import Mapping
from fractions import Fraction

from mayfly.contract.recipe import (
    AudioOutput,
    GalleryOutput,
    LadderOutput,
    Recipe,
    Sound,
    SubtitlesOutput,
    VideoOutput,
)
from mayfly.contract.task import PutUrls, Upload
from mayfly.core import limits
from worker import subtitle_tracks, tracks, words
from worker.assets import Asset
from worker.drawing import drawing
from worker.ends import WorkFailed
from worker.opening import FETCHED, Opening
from worker.probe import Probe, Stream
from worker.scan import Scan
from worker.sniff import Sniffed

#: x265 makes no smaller pictures; SVT-AV1 keeps to no average in them (it has no adaptive
#: quantisation there, and refuses to do without).
_HEVC_SIDE_MIN = 16
_AV1_AVERAGE_SIDE_MIN = 64
#: libvmaf halves a picture four times, and says nothing of what is 16 high.
_VMAF_SIDE_MIN = 32

#: Profiles of Dolby Vision whose pictures other decoders show in green and purple.
_DOLBY_ALONE = (5,)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A source that was looked at, but whose packets nobody has listed here: enough for a chunk,
    whose plan was made by somebody who had."""

    probe: Probe
    picture: Stream | None
    sound: Stream | None
    opening: Opening = FETCHED
    #: The images that its recipe draws, by name.
    assets: Mapping[str, Asset] = dataclasses.field(default_factory=dict)

    @property
    def spliced(self) -> bool:
        """Nobody cuts a source that is."""
        return False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Material(Seen):
    """A source that may be encoded."""

    scan: Scan

    @property
    def spliced(self) -> bool:
        """A transport stream whose packets do not follow each other, as where two recordings meet:
        its demuxer calls a whole picture damaged there."""
        return "mpegts" in self.probe.format.format_name and self.scan.broken_packets > 0

    @property
    def decoding_order(self) -> bool:
        """Its packets say when they are decoded, and not that some are shown later than that."""
        return (
            self.picture is not None and self.picture.has_b_frames > 0 and not self.scan.reordered
        )

    @property
    def origin_ticks(self) -> int | None:
        """The tick of the picture's clock that is 0 from now on: where the container begins, so
        that sound which is there before the picture is kept. None where that clock repeats itself,
        runs backwards, is missing, or tells of decoding alone."""
        scan, start = self.scan, self.probe.format.start_time
        if self.picture is None or not scan.ticks or not scan.regular or self.spliced:
            return None
        if self.decoding_order:
            return None
        first = scan.ticks[0]
        return first if start is None else min(first, round(start / float(scan.tick)))

    @property
    def origin_seconds(self) -> Fraction | None:
        """The same in seconds."""
        return None if self.origin_ticks is None else self.origin_ticks * self.scan.tick

    def seconds(self) -> float | None:
        """How long the source plays; what the container says, else what its packets say."""
        spans = (sound.span_seconds for sound in self.scan.sounds.values())
        return self.probe.format.duration or max(*spans, self.scan.span_seconds(), 0.0) or None


def check_task(recipe: Recipe, upload: Upload) -> None:
    """Before anything is fetched: every output has a place to go. Raises WorkFailed."""
    names = [output.file for output in recipe.outputs]
    if len(set(names)) < len(names):
        raise WorkFailed("request_refused", "two outputs of the recipe have the same file name")
    ladders = [output for output in recipe.outputs if isinstance(output, LadderOutput)]
    if len(ladders) > 1:
        raise WorkFailed("request_refused", f"{len(ladders)} ladders, where one may be")
    if any(ladder.listed_twice() for ladder in ladders):
        raise WorkFailed("request_refused", "a ladder with one kind of manifest twice")
    if any(isinstance(output, GalleryOutput) for output in recipe.outputs) and isinstance(
        upload, PutUrls
    ):
        detail = "pictures every few seconds have files whose number nobody knows before"
        raise WorkFailed("delivery_refused", detail)
    if ladders and isinstance(upload, PutUrls):
        raise WorkFailed("delivery_refused", "a ladder has files whose names nobody knows before")
    if isinstance(upload, PutUrls):
        missing = sorted(set(names) - set(upload.urls))
        if missing:
            raise WorkFailed("delivery_refused", f"there is no URL for {', '.join(missing)}")


def check_bytes(sniffed: Sniffed) -> None:
    """Before any parser sees them. Raises WorkFailed."""
    if sniffed.size_bytes == 0:
        raise WorkFailed("source_empty")
    if sniffed.playlist:
        raise WorkFailed("playlist_refused")
    if sniffed.truncated:
        raise WorkFailed("source_truncated", sniffed.truncated)


def check_probe(probe: Probe, recipe: Recipe) -> None:
    """Before its packets are read. Raises WorkFailed."""
    picture, sound = probe.picture(), probe.sound()
    if not any(stream.codec_type in ("video", "audio") for stream in probe.streams):
        raise WorkFailed("not_media", "it holds neither a picture nor sound")
    _check_absurd(probe, picture)
    if picture is not None and picture.dolby_vision in _DOLBY_ALONE:
        raise WorkFailed("hdr_refused", f"it is Dolby Vision of profile {picture.dolby_vision}")
    for output in recipe.outputs:
        speaks, language = subtitle_tracks.wanted(output)
        if speaks:
            subtitle_tracks.chosen(output.file, language, probe)
        if not isinstance(output, AudioOutput | SubtitlesOutput) and picture is None:
            raise WorkFailed("no_video", f"{output.file} cannot be made")
        if isinstance(output, VideoOutput | LadderOutput) and picture is not None:
            _check_sizes(output, picture)
        if isinstance(output, AudioOutput) and sound is None:
            raise WorkFailed("no_audio", f"{output.file} cannot be made")
        if isinstance(output, VideoOutput | AudioOutput | LadderOutput) and output.audio:
            _check_tracks(output.file, output.audio, probe)


def _check_tracks(file: str, sound: Sound, probe: Probe) -> None:
    found = probe.sounds()
    wanted = tracks.chosen(sound, found, most=len(found))
    if found and not wanted:
        spoken = sorted({words.language(one.language) or "no known language" for one in found})
        detail = f"{file} is to sound in {', '.join(sound.tracks)}, its source in "
        raise WorkFailed("no_audio", detail + ", ".join(spoken))
    if len(wanted) > tracks.TRACKS_MAX:
        raise WorkFailed(
            "request_refused",
            f"{file} would have {len(wanted)} sound tracks, at most {tracks.TRACKS_MAX}: name"
            " languages, or say what its mono_tracks are",
        )


def _check_sizes(output: VideoOutput | LadderOutput, picture: Stream) -> None:
    asks = output.quality is not None or (
        isinstance(output, LadderOutput) and output.vmaf_apart is not None
    )
    least = _VMAF_SIDE_MIN if asks else 0
    if output.codec == "hevc":
        least = max(least, _HEVC_SIDE_MIN)
    if isinstance(output, LadderOutput):
        sizes = [drawing(picture, output, rung.box).size for rung in output.rungs]
    else:
        sizes = [drawing(picture, output, output.box).size]
        if output.codec == "av1" and output.bitrate_kbps is not None:
            least = _AV1_AVERAGE_SIDE_MIN
    for size in sizes:
        if min(size.width, size.height) < least:
            raise WorkFailed(
                "request_refused",
                f"{output.file} would be {size.width}x{size.height}: too small for {output.codec}"
                f" as it is wanted, which begins at {least}x{least}",
            )


def check_seen(probe: Probe, recipe: Recipe, opening: Opening) -> Seen:
    """Where nobody reads the packets. Raises WorkFailed."""
    check_probe(probe, recipe)
    return Seen(probe=probe, picture=probe.picture(), sound=probe.sound(), opening=opening)


def check_scan(probe: Probe, scan: Scan, recipe: Recipe) -> Material:
    """After its packets are read. Raises WorkFailed."""
    material = Material(probe=probe, scan=scan, picture=probe.picture(), sound=probe.sound())
    promised = _promised(probe, material.picture)
    if scan.ended_early:
        raise WorkFailed("source_truncated", "its demuxer met the end too early")
    if promised is not None and promised > scan.packets:
        raise WorkFailed(
            "source_truncated", f"its index promises {promised} pictures, it holds {scan.packets}"
        )
    wants_picture = any(
        not isinstance(output, AudioOutput | SubtitlesOutput) for output in recipe.outputs
    )
    if wants_picture and material.picture is not None:
        if scan.frames == 0:
            raise WorkFailed("no_video", "its video track is empty")
        if scan.broken_packets and not material.spliced:
            raise WorkFailed(
                "source_corrupt", f"{scan.broken_packets} of its {scan.packets} packets are damaged"
            )
        _check_pictures(material, recipe)
        _check_pace(material, recipe)
    return material


def _check_pace(material: Material, recipe: Recipe) -> None:
    for output in recipe.outputs:
        if (
            isinstance(output, VideoOutput)
            and output.speedup is not None
            and material.origin_ticks is None
        ):
            raise WorkFailed(
                "request_refused",
                f"{output.file} cannot be sped up: the source does not say when each of its"
                " pictures is shown, or says it twice",
            )


def _check_pictures(material: Material, recipe: Recipe) -> None:
    seconds = material.scan.span_seconds()
    for output in recipe.outputs:
        if isinstance(output, GalleryOutput) and (
            seconds / output.every_seconds >= limits.PICTURES_MAX
        ):
            least = math.ceil((seconds + 1) / limits.PICTURES_MAX)
            raise WorkFailed(
                "request_refused",
                f"{output.file} would have more than {limits.PICTURES_MAX} pictures of"
                f" {seconds:.0f} s: take every_seconds from {least} on",
            )


def _promised(probe: Probe, picture: Stream | None) -> int | None:
    """What the index counts. Only MP4's is to be trusted: AVI's counts empty chunks too."""
    return picture.nb_frames if picture and "mp4" in probe.format.format_name.split(",") else None


def _check_absurd(probe: Probe, picture: Stream | None) -> None:
    if len(probe.streams) > limits.SOURCE_STREAMS_MAX:
        raise WorkFailed(
            "source_absurd",
            f"{len(probe.streams)} streams, at most {limits.SOURCE_STREAMS_MAX}",
        )
    if (probe.format.duration or 0) > limits.SOURCE_SECONDS_MAX:
        raise WorkFailed(
            "source_absurd",
            f"{probe.format.duration:.0f} s long, at most {limits.SOURCE_SECONDS_MAX}",
        )
    if picture is None:
        return
    if picture.width * picture.height > limits.SOURCE_PIXELS_MAX:
        raise WorkFailed(
            "source_absurd",
            f"{picture.width}x{picture.height}, at most {limits.SOURCE_PIXELS_MAX} pixels",
        )
    if picture.width < 1 or picture.height < 1:
        raise WorkFailed("source_corrupt", "its video has no dimensions")
    if picture.frames_per_second > limits.SOURCE_FRAMES_PER_SECOND_MAX:
        raise WorkFailed(
            "source_absurd",
            f"{picture.frames_per_second:.0f} frames a second, "
            f"at most {limits.SOURCE_FRAMES_PER_SECOND_MAX}",
        )
