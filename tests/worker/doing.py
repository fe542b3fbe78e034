"""A stand-in for the work of a task, so that what is around it can be told without ffmpeg."""

from collections.abc import Callable

from mayfly.contract.report import Artifact, Media
from worker.order import Done, Order

MEDIA = Media(container="mov")
DONE = Done(
    outputs=(Artifact(file="v.mp4", key="work/v.mp4", size_bytes=1, sha256="0", media=MEDIA),),
    source=MEDIA,
    cpu_seconds=2.5,
)


class Doing:
    """Work that does what it is told."""

    def __init__(self, act: Callable[[Order], Done] | BaseException = lambda _: DONE) -> None:
        self.act = act
        self.orders: list[Order] = []

    def do(self, order: Order) -> Done:
        self.orders.append(order)
        if isinstance(self.act, BaseException):
            raise self.act
        order.halt.check()
        done = self.act(order)
        order.halt.check()
        return done
