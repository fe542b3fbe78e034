"""`latest.json` names the newest job of an upload path, also of uploads that nobody told of."""

import json

from mayfly.contract.report import Started
from mayfly.memory.world import MemoryWorld
from tests.unit.acting import (
    KEY,
    LATEST,
    a_round,
    dispatch,
    encoded,
    finish,
    outcomes,
    receive,
    report,
    said,
    the_newest,
    tick,
    upload,
)


def test_a_found_upload_that_was_replaced_meanwhile_does_not_become_the_newest(
    w: MemoryWorld,
) -> None:
    tick(w)
    upload(w, body=b"old")
    a_round(w)
    old, _ = receive(w)
    dispatch(w, upload(w, body=b"new", sequencer="0B"))
    newest = finish(w)
    report(w, Started(**said(old)), encoded(w, old))
    assert the_newest(w) == newest
    assert {o.state for o in outcomes(w)} == {"succeeded"}


def test_an_older_upload_does_not_take_the_place_of_one_that_was_found(w: MemoryWorld) -> None:
    tick(w)
    dispatch(w, upload(w, body=b"old", sequencer="0A"))
    old, _ = receive(w)
    upload(w, body=b"new")
    a_round(w)
    newest = finish(w)
    report(w, Started(**said(old)), encoded(w, old))
    assert the_newest(w) == newest


def test_a_newer_upload_takes_the_place_of_one_that_was_found(w: MemoryWorld) -> None:
    tick(w)
    upload(w, body=b"found")
    a_round(w)
    found = finish(w)
    assert the_newest(w) == found
    dispatch(w, upload(w, body=b"newer", sequencer="01"))
    assert finish(w) == the_newest(w) != found


def test_a_request_by_message_alone_moves_no_pointer(w: MemoryWorld) -> None:
    w.store.write("media", KEY, b"video", content_type="video/mp4")
    dispatch(w, json.dumps({"source": f"s3://media/{KEY}", "preset": "mp4-720p"}))
    finish(w)
    assert w.store.get("media", LATEST) is None
