"""Everything that a Redis holds, to be searched."""

from typing import Any


def values_by_key(client: Any) -> dict[bytes, bytes]:
    """Each key with its value of whatever type, as bytes that the parts stand in."""
    read = {
        "string": lambda key: [client.get(key) or b""],
        "hash": lambda key: [part for pair in client.hgetall(key).items() for part in pair],
        "list": lambda key: client.lrange(key, 0, -1),
        "set": client.smembers,
        "zset": lambda key: client.zrange(key, 0, -1),
        "stream": lambda key: [
            part for _, found in client.xrange(key) for pair in found.items() for part in pair
        ],
        "none": lambda key: [],  # gone meanwhile
    }
    return {
        key: b"\n".join(read[client.type(key).decode()](key)) for key in client.scan_iter("*", 1000)
    }


def content_of(client: Any) -> bytes:
    """All keys and values."""
    return b"\n".join(part for pair in values_by_key(client).items() for part in pair)
