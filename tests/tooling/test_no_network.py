"""The guard that keeps tests on this machine does keep them."""

import socket

import pytest

FORBIDDEN = "only loopback is allowed"


def test_a_connection_to_another_machine_is_refused() -> None:
    with socket.socket() as client, pytest.raises(BaseException, match=FORBIDDEN):
        client.connect(("192.0.2.1", 80))


def test_another_machines_name_is_not_looked_up() -> None:
    with pytest.raises(BaseException, match=FORBIDDEN):
        socket.create_connection(("example.com", 80))


def test_loopback_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
