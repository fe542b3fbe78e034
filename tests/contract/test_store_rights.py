"""Which calls publishing makes: its function has the rights for these and no others."""

from typing import Any

import pytest

from mayfly.aws import s3
from mayfly.perform.ports import Gone
from tests.contract.test_store import PIECE
from tests.contract.worlds import AwsWorld

#: Of each call: the right, and where. S3 User Guide, "Required permissions for S3 API operations".
RIGHTS = {
    "HeadObject": {("s3:GetObject", "source or target")},
    "CopyObject": {("s3:GetObject", "source"), ("s3:PutObject", "target")},
    "CreateMultipartUpload": {("s3:PutObject", "target")},
    "UploadPartCopy": {("s3:GetObject", "source"), ("s3:PutObject", "target")},
    "CompleteMultipartUpload": {("s3:PutObject", "target")},
    "AbortMultipartUpload": {("s3:AbortMultipartUpload", "target")},
}


@pytest.mark.parametrize("world", ["moto"], indirect=True)
def test_copies_and_joins_call_what_the_function_may(
    world: AwsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, client, called = world.bucket(), world.client("s3"), set[str]()

    def note(model: Any, **_: Any) -> None:
        called.add(model.name)

    for key, body in (("work/1", PIECE * 3), ("work/2", b"last")):
        world.put(bucket, key, body)
    monkeypatch.setattr(s3, "COPY_PART_BYTES", len(PIECE))
    store = s3.S3Store(client)
    client.meta.events.register("before-call.s3", note)
    try:
        store.copy(bucket, "work/2", "outputs/2")
        store.copy(bucket, "work/1", "outputs/1")
        store.join(bucket, ["work/1", "work/2"], "outputs/3")
        with pytest.raises(Gone):
            store.join(bucket, ["work/1", "work/missing"], "outputs/4")
    finally:
        client.meta.events.unregister("before-call.s3", note)
    assert called == set(RIGHTS)
    assert {right for rights in RIGHTS.values() for right, _ in rights} == {
        "s3:GetObject",
        "s3:PutObject",
        "s3:AbortMultipartUpload",
    }
