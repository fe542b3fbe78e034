"""A page that plays a ladder, and what it says when it is asked."""

import dataclasses
import re
from pathlib import Path
from typing import Any

from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome

PAGE = Path(__file__).resolve().parent / "page"


class NotPlayed(AssertionError):
    """What the page was asked for did not happen; it says what did."""


class Late(NotPlayed):
    """It did not come in time: for want of media, or of a machine that has the time to play it."""


#: How those put it that gave up waiting: the page, its driver, and hls.js.
_LATE = re.compile("not in .* s$|says nothing|bufferStalledError|bufferAppendNoProgress")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One ladder, opened by one of its addresses, in one player."""

    player: str
    manifest: str
    ladder: str

    def __str__(self) -> str:
        return f"{self.player}-{self.ladder}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What a player found."""

    version: str
    duration: float
    sizes: list[list[int]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One of the element's, and where the film was."""

    name: str
    at: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Buffer:
    """One track's."""

    mime: str
    ranges: list[list[float]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """All that has happened."""

    at: float
    ended: bool
    size: tuple[int, int]
    errors: list[str]
    events: list[Event]
    buffered: list[Buffer]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Perceived:
    """What somebody saw and heard who was there from a moment on."""

    #: When each frame is to be shown, and its brightness: 0 is black, 255 white.
    frames: list[tuple[float, float]]
    #: When the first loud sample came, in seconds from that moment on; None: none came.
    beep: float | None
    #: Samples that are none: something was missing.
    still: int


class Page:
    """A fresh one. Everything that it is asked raises NotPlayed when it does not come."""

    def __init__(self, driver: Chrome, address: str, patience: float = 1) -> None:
        self.driver = driver
        driver.get(f"{address}/page/watch.html?patience={patience}")

    def supported(self, mimes: list[str]) -> list[bool]:
        """Whether the browser's MediaSource takes them."""
        return list(self._ask("supported", mimes))

    def open(self, player: str, url: str, ahead_seconds: float | None = None) -> Opened:
        """Until there is something to show. It buffers so far ahead, or as far as it likes."""
        return Opened(**self._ask("open", player, url, ahead_seconds))

    def fill(self) -> None:
        """Until it has buffered all."""
        self._ask("fill")

    def play(self, rate: float) -> None:
        """Until it plays."""
        self._ask("play", rate)

    def seek(self, at: float) -> float:
        """When the first frame is to be shown that is seen after it."""
        return float(self._ask("seek", at))

    def choose(self, size: tuple[int, int]) -> None:
        """Until it is seen."""
        self._ask("choose", *size)

    def end(self, rate: float) -> None:
        """Until it is over, at this pace from now on."""
        self._ask("end", rate)

    def perceive(self, at: float, seconds: float, samples_hz: int, loud: float) -> Perceived:
        """From that moment on, for so long, at its own pace."""
        return Perceived(**self._ask("perceive", at, seconds, samples_hz, loud))

    def spoken(self) -> list[list[Any]]:
        """Until its one track of subtitles, shown from now on, has all: language, and of each cue
        when it is shown and what it says."""
        return list(self._ask("spoken"))

    def told(self) -> Told:
        """By now."""
        return _told(self._ask("told"))

    def photograph(self, path: Path) -> None:
        """The page as it looks now."""
        path.parent.mkdir(parents=True, exist_ok=True)
        assert self.driver.save_screenshot(str(path))

    def _ask(self, name: str, *given: Any) -> Any:
        try:
            answer = self.driver.execute_async_script("ask(...arguments)", name, given)
        except WebDriverException as gone:
            raise Late(f"{name}: the browser says nothing: {gone.msg}") from None
        if "why" in answer:
            why = answer["why"]
            kind = Late if _LATE.search(why) else NotPlayed
            raise kind(f"{why}\n{_told(answer['told'])}")
        return answer["said"]


def _told(said: Any) -> Told:
    return Told(
        at=said["at"],
        ended=said["ended"],
        size=tuple(said["size"]),
        errors=said["errors"],
        events=[Event(**event) for event in said["events"]],
        buffered=[Buffer(**buffer) for buffer in said["buffered"]],
    )
