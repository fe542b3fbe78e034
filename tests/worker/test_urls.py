"""What of a signed URL may be shown."""

import pytest

from worker.loop import without_query


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (
            "https://b.s3.amazonaws.com/k/a.mp4?X-Amz-Signature=1",
            "https://b.s3.amazonaws.com/k/a.mp4",
        ),
        ("https://me:pw@b/k?x#y", "https://b/k"),
        ("https://b?x", "https://b"),
        ("https://b/k#frag@ment", "https://b/k"),
        ("https://b/k@2x.mp4?x", "https://b/k@2x.mp4"),
    ],
)
def test_of_a_url_only_host_and_path_are_shown(url: str, shown: str) -> None:
    assert without_query(url) == shown
