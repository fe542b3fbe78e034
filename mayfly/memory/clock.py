"""Virtual time and seeded randomness."""

import base64
import random


class VirtualClock:
    """Time that passes only when somebody sleeps."""

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        self._now = start

    def now(self) -> float:
        """Virtual Unix time in seconds."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Moves time on, at once."""
        self._now += max(0.0, seconds)


class SeededDice:
    """The same seed, the same tokens. Never for secrets."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable is what it is for

    def token(self) -> str:
        """26 characters of base32, lower case."""
        raw = self._random.getrandbits(128).to_bytes(16, "big")
        return base64.b32encode(raw).decode().rstrip("=").lower()

    def jitter(self, seconds: float) -> float:
        """Uniformly between 0 and `seconds`."""
        return self._random.uniform(0, seconds)
