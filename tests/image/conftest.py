"""The built image, for whoever asks.

Who cannot build it here (no root, no tool) skips, and is told what to install. With
MAYFLY_IMAGE_TEST=1 that is a failure: for a machine whose duty it is to have the tools.
"""

import os

import pytest

from tests.image import built


@pytest.fixture(scope="session")
def worker_image() -> built.Image:
    missing = built.what_is_missing()
    if missing and os.environ.get("MAYFLY_IMAGE_TEST") == "1":
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)
    return built.built()
