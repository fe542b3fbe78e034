"""Virtual time and seeded randomness."""

import itertools
import random
import string

#: Two characters of base32 for each ten bits.
_ALPHABET = string.ascii_lowercase + "234567"
_PAIRS = ["".join(pair) for pair in itertools.product(_ALPHABET, repeat=2)]


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
        drawn = self._random.getrandbits(130)
        return "".join([_PAIRS[drawn >> shift & 1023] for shift in range(0, 130, 10)])

    def jitter(self, seconds: float) -> float:
        """Uniformly between 0 and `seconds`."""
        return self._random.uniform(0, seconds)
