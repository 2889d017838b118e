"""Unit tests touch no network."""

from __future__ import annotations

import socket
from typing import NoReturn

import pytest


@pytest.fixture(autouse=True)
def no_sockets(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Connecting anywhere fails the test that does it."""

    def refuse(*_: object) -> NoReturn:
        raise AssertionError(f"{request.node.nodeid} opens a network connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
