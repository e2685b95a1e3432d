"""A Redis whose clock is set, as far as the scripts and whoever reads its clock can tell.

What the clock is ahead of the real one, in whole seconds, is a key in that Redis.
"""

from collections.abc import Callable
from typing import Any

from redis import Redis

from atom.store import scripts
from atom.store.timely import Timely

KEY = "atom:tests:skew"
_READ = "local t = redis.call('TIME')"
_SKEWED = f"{_READ}\n  t[1] = t[1] + (redis.call('GET', '{KEY}') or 0)"


def install(patch: Callable[[Any, str, Any], None] = setattr) -> None:
    """Have every script that is made from now on read that clock; `patch` is for a monkeypatch."""
    assert scripts._SHARED.count(_READ) == 1
    patch(scripts, "_SHARED", scripts._SHARED.replace(_READ, _SKEWED))
    real = Timely._ask

    def ask(connection: Any, end: float, command: Any) -> Any:
        reply = real(connection, end, command)
        if command != ("TIME",):
            return reply
        return [int(reply[0]) + int(real(connection, end, ("GET", KEY)) or 0), reply[1]]

    patch(Timely, "_ask", staticmethod(ask))


def set_clock(client: Redis, seconds: int) -> None:
    """Set the clock by these seconds; keys expire by it as well."""
    client.incrby(KEY, seconds)
    for key in client.scan_iter(count=1000):
        left = client.pttl(key)
        if left > 0:
            client.pexpire(key, max(1, left - seconds * 1000))
