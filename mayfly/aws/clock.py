"""Real time and real randomness, for the edges. The core never sees them."""

import base64
import secrets
import time


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """Unix time in seconds."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Blocks."""
        time.sleep(seconds)


class SystemDice:
    """The operating system's randomness: tokens are secrets."""

    def token(self) -> str:
        """26 characters of base32, lower case: fit for names of AWS and for keys."""
        return base64.b32encode(secrets.token_bytes(16)).decode().rstrip("=").lower()

    def jitter(self, seconds: float) -> float:
        """Uniformly between 0 and `seconds`."""
        return secrets.SystemRandom().uniform(0, seconds)
