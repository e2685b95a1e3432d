"""Ports for servers that a test starts, stops and starts again: nobody else takes them meanwhile.

They are of a block of this process alone, below those that the system gives to whoever connects or
asks for any port; so several processes may run tests side by side.
"""

import socket
from collections.abc import Iterator
from functools import cache

_BLOCKS = range(20_000, 32_700, 100)  # Linux gives 32768 and those above


def free_port() -> int:
    """A loopback port that nothing listens on, and that comes again only after all others."""
    return next(_ports())


@cache
def _ports() -> Iterator[int]:
    return _free_ones(*_own_block())


def _own_block() -> tuple[socket.socket, range]:
    """A block that is ours for as long as we listen on its first port, and its other ports."""
    for first in _BLOCKS:
        taken = _listen(first)
        if taken is not None:
            return taken, range(first + 1, first + _BLOCKS.step)
    raise AssertionError(f"every block of ports from {_BLOCKS} is taken")


def _free_ones(_taken: socket.socket, ports: range) -> Iterator[int]:
    while True:
        free = 0
        for port in ports:
            probe = _listen(port)
            if probe is not None:
                probe.close()
                free += 1
                yield port
        assert free, f"something listens on each of {ports}"


def _listen(port: int) -> socket.socket | None:
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError:
        return None
