"""An output beyond what one POST carries, from a worker's disk to its clean name, past all that the
storage itself checks of form and length.
"""

import hashlib
from pathlib import Path

import msgspec
import pytest

from mayfly.contract.recipe import Recipe, VideoOutput
from mayfly.contract.report import Media
from mayfly.contract.task import Fetch, Source, Task
from mayfly.core import pieces
from tests.contract.worlds import AwsWorld
from worker.clock import MachineClock
from worker.deliver import Deliverer
from worker.ends import WorkFailed
from worker.grants import HeldGrants
from worker.halt import Halt
from worker.http import HostRule

pytestmark = pytest.mark.embedded

PIECE_BYTES = 5 * 1024**2
SIZE = 3 * PIECE_BYTES + 7


@pytest.mark.parametrize("world", ["embedded"], indirect=True)
def test_what_a_form_cannot_carry_is_published_whole(world: AwsWorld, tmp_path: Path) -> None:
    bucket, client = world.bucket(), world.client("s3")
    path = tmp_path / "video.mp4"
    path.write_bytes(bytes(range(251)) * (SIZE // 251) + b"x" * (SIZE % 251))
    form = world.signer().post(bucket, "work/job/finish/", PIECE_BYTES)

    def deliverer(output_bytes_max: int) -> Deliverer:
        upload = msgspec.structs.replace(form, output_bytes_max=output_bytes_max)
        source = Source(fetch=Fetch(url="https://b.s3.amazonaws.com/x"))
        task = Task(source=source, recipe=Recipe(outputs=(VideoOutput(),)), upload=upload)
        return Deliverer(
            rule=HostRule(("127.0.0.1", "localhost")),
            grants=HeldGrants(task, MachineClock()),
            halt=Halt(),
            nonce="n1",
            joined=True,
            piece_bytes=PIECE_BYTES,
        )

    with pytest.raises(WorkFailed):
        deliverer(SIZE - 1).deliver(path, Media(container="mov"))
    made = deliverer(SIZE).deliver(path, Media(container="mov"))
    assert (len(made.pieces), pieces.flaw(made)) == (4, "")
    store = world.store()
    assert store.head(bucket, made.key) is None
    store.join(bucket, pieces.keys(made), "outputs/video.mp4")
    published = client.get_object(Bucket=bucket, Key="outputs/video.mp4")["Body"].read()
    assert hashlib.sha256(published).hexdigest() == made.sha256
    assert published == path.read_bytes()
