"""Photographs become a film: each usable one is one picture of it, upright, in its place."""

import struct
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mayfly.contract import report, wire
from mayfly.contract.recipe import Timelapse
from mayfly.contract.task import Fetch, Grants
from tests.photographs import Camera, exif, tagged
from tests.worker.conftest import Rig, own
from tests.worker.lapsing import (
    VIDEO,
    asked,
    film,
    made_of,
    number,
    order,
    refused,
    said_of,
    taken,
)
from tests.worker.showing import Tone, shown
from tests.worker.store import Seen
from worker.order import Done, Order

pytestmark = pytest.mark.worker


@pytest.fixture(scope="module")
def camera(ffmpeg: Path, tmp_path_factory: pytest.TempPathFactory) -> Camera:
    return Camera(ffmpeg, tmp_path_factory.mktemp("camera"))


def black(tone: Tone) -> list[bool]:
    """Of its four quarters, in reading order."""
    quarters = (tone.upper_left, tone.upper_right, tone.lower_left, tone.lower_right)
    return [quarter < 12 for quarter in quarters]


def test_each_photograph_is_one_picture_of_the_film(rig: Rig, camera: Camera, ffmpeg: Path) -> None:
    said = made_of(rig, {f"IMG_{n}.jpg": camera.shoot(n) for n in range(12)}, fps=6)
    assert order(rig, said, ffmpeg) == list(range(12))
    assert said.outputs[0].media.frames == 12
    assert said.outputs[0].media.duration_seconds == pytest.approx(2.0, abs=0.01)
    assert said.note == "Made of 12 photographs."
    assert said.proof is not None and said.proof.frames == 12


def test_the_clock_of_the_camera_goes_before_its_counter(
    rig: Rig, camera: Camera, ffmpeg: Path
) -> None:
    """One that does not say when it was taken stands behind the one before it by name."""
    photographs = {
        "IMG_0001.jpg": tagged(camera.shoot(3), taken(9)),
        "IMG_0002.png": tagged(camera.shoot(4, kind="png"), taken(10)),
        "IMG_9998.webp": tagged(camera.shoot(0, kind="webp"), taken(1)),
        "IMG_9999.jpg": tagged(camera.shoot(1), taken(2)),
        "IMG_9999b.jpg": camera.shoot(2),
    }
    assert order(rig, made_of(rig, photographs), ffmpeg) == [0, 1, 2, 3, 4]
    assert order(rig, made_of(rig, photographs, order="name"), ffmpeg) == [3, 4, 0, 1, 2]


def test_a_list_keeps_its_order_unless_the_recipe_names_another(
    rig: Rig, camera: Camera, ffmpeg: Path
) -> None:
    photographs = {f"IMG_{n}.jpg": tagged(camera.shoot(n), taken(n)) for n in (10, 2, 7)}
    assert order(rig, made_of(rig, photographs, listed=True), ffmpeg) == [10, 2, 7]
    assert order(rig, made_of(rig, photographs, listed=True, order="name"), ffmpeg) == [2, 7, 10]
    assert order(rig, made_of(rig, photographs, listed=True, order="exif"), ffmpeg) == [2, 7, 10]


@pytest.mark.parametrize("turned", range(1, 9))
def test_a_photograph_stands_as_its_camera_said(
    rig: Rig, camera: Camera, ffmpeg: Path, turned: int
) -> None:
    """Where its stored upper left quarter is seen, by the table of the standard: 1 top left,
    2 top right, 3 bottom right, 4 bottom left, then the same with rows and columns exchanged."""
    body = tagged(camera.shoot(20), exif(orientation=turned))
    said = made_of(rig, {"a.jpg": body})
    media = said.outputs[0].media
    upright = (320, 240) if turned < 5 else (240, 320)
    assert (media.width, media.height) == upright
    (tone,) = shown(ffmpeg, film(rig, said), f"{upright[0]}x{upright[1]}")
    corner = {1: 0, 2: 1, 3: 3, 4: 2, 5: 0, 6: 1, 7: 3, 8: 2}[turned]
    assert black(tone) == [place == corner for place in range(4)]


@pytest.mark.parametrize("kind", ["png", "webp", "tif"])
def test_every_kind_is_shown_in_its_own_tones(
    rig: Rig, camera: Camera, ffmpeg: Path, kind: str
) -> None:
    body = camera.shoot(7, kind=kind)
    said = made_of(rig, {f"a.{kind}": body, "b.jpg": camera.shoot(8)})
    assert order(rig, said, ffmpeg) == [7, 8]


def test_a_name_says_nothing_of_what_a_file_is(rig: Rig, camera: Camera, ffmpeg: Path) -> None:
    said = made_of(rig, {"a.jpg": camera.shoot(7, kind="png"), "b.tif": camera.shoot(8)})
    assert order(rig, said, ffmpeg) == [7, 8]


def test_the_shape_of_most_is_the_films_and_others_fit_inside(
    rig: Rig, camera: Camera, ffmpeg: Path
) -> None:
    photographs = {f"{n}.jpg": camera.shoot(n) for n in range(3)}
    photographs["3.jpg"] = camera.shoot(3, size="640x480")
    photographs["4.jpg"] = camera.shoot(20, size="80x240")
    said = made_of(rig, photographs)
    tones = shown(ffmpeg, film(rig, said), "320x240")
    assert [number(tone.lower_right) for tone in tones[:4]] == [0, 1, 2, 3]
    # 80 of 320 columns in the middle: the middles of all quarters lie beside it, in the bars.
    assert black(tones[4]) == [True] * 4
    cropped = made_of(rig, photographs, mixed="crop")
    last = shown(ffmpeg, film(rig, cropped), "320x240")[4]
    assert [number(tone) for tone in (last.lower_left, last.lower_right)] == [20, 20]


def test_photographs_are_made_no_larger_than_the_largest_output_needs(
    rig: Rig, camera: Camera
) -> None:
    photographs = {f"{n}.jpg": camera.shoot(n, size="640x480") for n in range(2)}
    small = {**VIDEO, "box": {"width": 160, "height": 120}}
    said = made_of(rig, photographs, outputs=[small, {"kind": "poster"}])
    film_made, poster = said.outputs
    assert (film_made.media.width, film_made.media.height) == (160, 120)
    assert (poster.media.width, poster.media.height) == (640, 480)
    assert said.source.width == 640
    said = made_of(rig, photographs, outputs=[small])
    assert said.source.width == 160


def test_every_output_of_a_recipe_is_made_of_the_same_pictures(rig: Rig, camera: Camera) -> None:
    outputs: list[Any] = [
        {"kind": "ladder", "file": "hls", "rungs": [{"box": {"width": 160, "height": 120}}]},
        {"kind": "storyboard", "every_seconds": 1},
        {"kind": "preview", "file": "p.gif", "seconds": 1},
        {**VIDEO, "codec": "hevc"},
    ]
    photographs = {f"{n}.jpg": camera.shoot(n) for n in range(30)}
    said = made_of(rig, photographs, outputs=outputs, fps=10)
    frames = {made.file: made.media.frames for made in said.outputs}
    assert frames["v.mp4"] == 30 and frames["storyboard/storyboard.vtt"] == 3


def test_photographs_look_as_good_as_a_recipe_asks_and_rungs_that_look_alike_are_one(
    rig: Rig, camera: Camera
) -> None:
    """Regression: a time-lapse did not search, kept each codec's usual crf, and said nothing."""
    boxes = [{"box": {"width": width, "height": width}} for width in (320, 300, 64)]
    outputs: list[Any] = [
        {**VIDEO, "crf": None, "quality": {"vmaf": 85}},
        {"kind": "ladder", "rungs": boxes, "vmaf_apart": 2, "speed": "ultrafast"},
    ]
    photographs = {f"{n}.jpg": camera.shoot(n) for n in range(24)}
    said = made_of(rig, photographs, outputs=outputs, fps=12)
    assert said.proof is not None
    film_made, *rungs = said.proof.quality
    assert (film_made.file, film_made.wanted) == ("v.mp4", 85)
    assert abs(film_made.vmaf - film_made.sampled) < 4
    assert [rung.width for rung in rungs] == [300, 64], "320 is like 300"


def test_a_length_that_is_wanted_is_kept_by_the_rate(
    rig: Rig, camera: Camera, ffmpeg: Path
) -> None:
    photographs = {f"{n}.jpg": camera.shoot(n) for n in range(10)}
    said = made_of(rig, photographs, seconds=3)
    assert said.outputs[0].media.duration_seconds == pytest.approx(3.0, abs=0.01)
    assert order(rig, said, ffmpeg) == list(range(10))
    code, detail = refused(rig, photographs, seconds=11)
    assert code == "request_refused" and "from 1 to 10" in detail


def test_a_pause_holds_the_last_picture_for_as_long_but_a_second_at_most(
    rig: Rig, camera: Camera, ffmpeg: Path
) -> None:
    minutes = [0, 1, 2, 5, 6, 59]
    photographs = {f"{n}.jpg": tagged(camera.shoot(n), taken(m)) for n, m in enumerate(minutes)}
    said = made_of(rig, photographs, fps=5, gaps="hold")
    assert order(rig, said, ffmpeg) == [0, 1, 2, 2, 2, 3, 4, 4, 4, 4, 4, 5]
    assert said.note == "Made of 6 photographs; 6 pictures stand for pauses."
    assert order(rig, made_of(rig, photographs, fps=5), ffmpeg) == [0, 1, 2, 3, 4, 5]


def test_what_cannot_be_read_is_left_out_and_named(rig: Rig, camera: Camera, ffmpeg: Path) -> None:
    photographs = {f"{n:02d}.jpg": camera.shoot(n) for n in range(8)}
    photographs["02.jpg"] = photographs["02.jpg"][:500]
    photographs["05.jpg"] = b""
    said = made_of(rig, photographs, skip_max=0.25, ignored=3)
    assert order(rig, said, ffmpeg) == [0, 1, 3, 4, 6, 7]
    assert said.note == (
        "Made of 6 of 8 photographs; left out: 02.jpg (it is damaged, or ends too early); 05.jpg"
        " (it has no bytes); 3 other files in the folder were not looked at."
    )


def test_more_than_the_recipe_allows_end_the_job_and_three_are_named(
    rig: Rig, camera: Camera
) -> None:
    photographs = {f"{n:02d}.jpg": b"no picture" for n in range(5)}
    photographs |= {f"{n:02d}.jpg": camera.shoot(n) for n in range(5, 9)}
    code, detail = refused(rig, photographs, skip_max=0.5)
    assert code == "images_refused"
    no = "(it is no JPEG, PNG, WebP or TIFF)"
    assert detail == f"5 of 9: 00.jpg {no}; 01.jpg {no}; 02.jpg {no}; and 2 more"


def test_none_at_all_has_a_code_of_its_own(rig: Rig) -> None:
    heic = struct.pack(">I", 24) + b"ftypheic" + bytes(16)
    code, detail = refused(rig, {"a.jpg": heic}, skip_max=0.5)
    assert (code, detail) == ("no_images", "a.jpg (it is HEIC or AVIF, whatever its name says)")


def test_a_photograph_that_is_gone_or_another_ends_the_job(rig: Rig, camera: Camera) -> None:
    photographs = {f"{n}.jpg": camera.shoot(n) for n in range(3)}
    task = asked(rig, photographs)
    del rig.bucket.objects["photographs/1"]
    rig.put(task)
    said = rig.run_once()[-1]
    assert isinstance(said, report.Failed)
    assert (said.code, said.detail) == ("images_changed", "1.jpg")


def test_a_list_that_is_not_kept_any_more_ends_the_job(rig: Rig) -> None:
    code, detail = refused(rig, {})
    assert code == "images_changed" and "list" in detail


def test_photographs_and_timelapse_go_together(rig: Rig, camera: Camera) -> None:
    lone = asked(rig, {"a.jpg": camera.shoot(1)})
    del lone["inputs"]
    video = {**asked(rig, {"a.jpg": camera.shoot(1)}), "recipe": {"outputs": [VIDEO]}}
    for task in (lone, video):
        rig.put(task)
        said = rig.run_once()[-1]
        assert isinstance(said, report.Failed) and said.code == "request_refused"


def test_users_may_bring_urls_of_their_own(rig: Rig, camera: Camera) -> None:
    theirs = own(rig)
    ours = asked(rig, {"a.jpg": camera.shoot(1), "b.jpg": camera.shoot(2)})
    theirs |= {name: ours[name] for name in ("recipe", "inputs", "source")}
    theirs["upload"] = {"by": "put", "urls": {"v.mp4": {"url": rig.bucket.url("mine/v.mp4")}}}
    rig.put(theirs)
    said = rig.run_once()[-1]
    assert isinstance(said, report.Encoded), said
    assert rig.bucket.objects["mine/v.mp4"][4:8] == b"ftyp"


def test_flicker_is_evened_out_and_a_sunrise_is_not(rig: Rig, camera: Camera, ffmpeg: Path) -> None:
    """Each second photograph is three steps darker than the ramp that it is on."""
    numbers = [n - 3 * (n % 2) for n in range(4, 30)]
    photographs = {f"{n}.jpg": camera.shoot(number) for n, number in enumerate(numbers)}

    def seen(**wanted: Any) -> list[float]:
        body = film(rig, made_of(rig, photographs, **wanted))
        return [tone.lower_right for tone in shown(ffmpeg, body, "320x240")]

    def jumps(tones: list[float]) -> float:
        return max(abs(b - 2 * m + a) for a, m, b in zip(tones, tones[1:], tones[2:], strict=False))

    as_taken, even = seen(), seen(deflicker=True)
    middle, even_middle = as_taken[8:-8], even[8:-8]
    assert jumps(middle) > 30 and jumps(even_middle) < 5
    assert even_middle[-1] - even_middle[0] == pytest.approx(
        sum(middle[-2:]) / 2 - sum(middle[:2]) / 2, abs=14
    )


_WANTED = st.fixed_dictionaries(
    {},
    optional={
        "fps": st.sampled_from([0, 1, 7, 60, 61, "24", None]),
        "seconds": st.sampled_from([0, 1, 2, 3600, None]),
        "order": st.sampled_from(["name", "exif", "size", None]),
        "deflicker": st.booleans(),
        "mixed": st.sampled_from(["pad", "crop", "stretch"]),
        "gaps": st.sampled_from(["ignore", "hold", 3]),
        "skip_max": st.sampled_from([0, 0.5, 0.6, -1]),
        "fps; rm": st.just(1),
    },
)


@pytest.mark.timeout(240)
@given(wanted=_WANTED)
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_whatever_is_wanted_of_photographs_is_refused_or_made(
    rig: Rig, camera: Camera, wanted: dict[str, Any]
) -> None:
    try:
        wire.convert(Timelapse, wanted)
    except wire.Refusal as refusal:
        assert str(refusal).endswith(".")
        return
    photographs = {
        "a.jpg": tagged(camera.shoot(1), taken(0)),
        "b.jpg": tagged(camera.shoot(2, size="240x320"), taken(1)),
        "c.png": camera.shoot(3, kind="png"),
        "d.jpg": tagged(camera.shoot(4), taken(9)),
    }
    said = said_of(rig, photographs, **wanted)
    if isinstance(said, report.Failed):
        assert (said.code, wanted["seconds"]) == ("request_refused", 3600)
    else:
        assert isinstance(said, report.Encoded)
        assert said.outputs[0].media.frames == 4 or wanted["gaps"] == "hold"


def test_hostile_names_are_shown_cut_and_without_signs_that_move_a_terminal(
    rig: Rig, camera: Camera
) -> None:
    name = "\x1b[2J" + "x" * 300 + ".jpg"
    code, detail = refused(rig, {"a.jpg": camera.shoot(1), name: b"nothing"})
    assert code == "images_refused"
    assert "\x1b" not in detail and len(detail) < 200


def test_urls_that_die_while_photographs_are_fetched_are_read_anew(
    rig: Rig, camera: Camera, ffmpeg: Path
) -> None:
    """Control brings a new list, and what is fetched from then on is fetched by that."""
    task = asked(rig, {f"{n}.jpg": camera.shoot(n) for n in range(30)})
    # The old list's later photographs are refused, as URLs that have died are.
    fresh = rig.bucket.objects["uploads/source"].replace(b"/photographs/", b"/renewed/")
    rig.bucket.objects |= {
        key.replace("photographs/", "renewed/"): body
        for key, body in list(rig.bucket.objects.items())
        if key.startswith("photographs/")
    }
    rig.bucket.objects["lists/new"] = fresh
    work = rig.work

    class Renewing:
        """Renews as soon as the list was read."""

        def do(self, order: Order) -> Done:
            def renew(_: BaseHTTPRequestHandler, seen: Seen) -> bool:
                if "/photographs/" in seen.path:
                    fetch = Fetch(url=rig.bucket.url("lists/new"))
                    ends = (order.task.grants_end_at or 0.0) + 100
                    order.grants.renew(
                        Grants(
                            source=fetch,
                            upload=order.grants.upload,
                            control=fetch,
                            grants_end_at=ends,
                            inputs=fetch,
                        )
                    )
                    for key in [k for k in rig.bucket.objects if k.startswith("photographs/")][9:]:
                        del rig.bucket.objects[key]
                    rig.bucket.mischief.clear()
                return False

            rig.bucket.mischief.append(renew)
            return work.do(order)

    rig.work = Renewing()
    rig.put(task)
    said = rig.run_once()[-1]
    assert isinstance(said, report.Encoded), said
    assert said.outputs[0].media.frames == 30
