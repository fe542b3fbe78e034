"""What an output in pieces must be before S3 is asked to join it: a worker said so, and may lie."""

from mayfly.contract.report import Artifact
from mayfly.core import limits, naming


def keys(artifact: Artifact) -> tuple[str, ...]:
    """Where they are, in order."""
    return tuple(naming.piece_key(artifact.key, n + 1) for n in range(len(artifact.pieces)))


def flaw(artifact: Artifact) -> str:
    """Why they cannot be joined to what was said; empty when they can, or when there are none."""
    if not artifact.pieces:
        return ""
    sizes = [piece.size_bytes for piece in artifact.pieces]
    if sum(sizes) != artifact.size_bytes:
        return f"{artifact.file} has pieces of {sum(sizes)} bytes, not of {artifact.size_bytes}"
    inner = sizes[:-1]
    if min(inner, default=limits.PIECE_BYTES_MIN) < limits.PIECE_BYTES_MIN or sizes[-1] <= 0:
        return f"{artifact.file} has pieces that are too small"
    if len(sizes) > -(-limits.OUTPUT_BYTES_MAX // limits.PIECE_BYTES):
        return f"{artifact.file} has {len(sizes)} pieces"
    return ""
