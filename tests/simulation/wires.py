"""What a worker reaches through signed URLs, and what S3 answers to it.

The real worker speaks HTTP here; the answers are those of `mayfly.memory.signer`.
"""

import dataclasses
from collections.abc import Callable

from mayfly.contract import wire
from mayfly.contract.task import Control, Fetch, PostForm
from mayfly.memory.signer import EXPIRED, MemorySigner, UrlRefused
from mayfly.perform.ports import Temporary
from tests.simulation.kinds import Kind
from tests.simulation.trouble import Trouble
from worker.ends import Halted, Reason, WorkFailed
from worker.grants import HeldGrants
from worker.halt import Halt

#: How often a transfer is tried.
_TRIES_MAX = 4


@dataclasses.dataclass(slots=True)
class Wires:
    """What a worker reaches through signed URLs."""

    signer: MemorySigner
    trouble: Trouble

    def read(self, grants: HeldGrants, halt: Halt) -> Control | None:
        """The control object, or None: go on."""
        if grants.control is None:
            return None
        try:
            self.trouble.before("store.control")
            return wire.decode(Control, self.signer.fetched(grants.control).body)
        except (UrlRefused, Temporary, wire.Refusal):
            return None

    def get(self, fetch: Callable[[], Fetch | None], grants: HeldGrants) -> bytes:
        """An object. Raises WorkFailed, Halted."""
        for _ in range(_TRIES_MAX):
            try:
                self.trouble.before("store.get")
                signed = fetch()
                assert signed is not None, "a task without this grant asks for nothing"
                found = self.signer.fetched(signed).body
                cut = bool(found) and self.trouble.strike(Kind.S3_CUT_OFF)
                got = found[: len(found) // 2] if cut else found
                if len(got) < len(found):
                    continue  # the connection ended well, and before the file did
                return got
            except Temporary:
                continue
            except UrlRefused as refused:
                if refused.code == EXPIRED or (refused.status == 403 and grants.dead()):
                    raise Halted(Reason.GRANT_EXPIRED) from None
                gone = {404: "source_missing", 412: "source_replaced"}
                raise WorkFailed(gone.get(refused.status, "source_refused")) from None
        raise WorkFailed("source_unreadable")

    def put(self, grants: HeldGrants, name: str, body: bytes) -> str:
        """Stores an output; answers with its key. Raises WorkFailed, Halted."""
        for _ in range(_TRIES_MAX):
            form = grants.upload
            if not isinstance(form, PostForm):
                return ""
            try:
                self.trouble.before("store.post")
                self.signer.posted(form, form.key_prefix + name, body)
                self.trouble.after("store.post")
                return form.key_prefix + name
            except Temporary:
                continue
            except UrlRefused as refused:
                if refused.code == EXPIRED or (refused.status == 403 and grants.dead()):
                    raise Halted(Reason.GRANT_EXPIRED) from None
                raise WorkFailed("delivery_refused") from None
        raise WorkFailed("delivery_failed")
