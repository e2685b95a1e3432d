"""Looks for secrets in everything that a run of the containers left behind."""

import tarfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any

from tests.containers.docker import Compose, check, docker, tell

# Reads every value of Redis, of whatever type, inside of a role's container.
_DUMP = """
import os, sys, redis
client = redis.Redis.from_url(os.environ["ATOM_REDIS_URL"])
read = {
    b"string": client.get, b"hash": client.hgetall, b"zset": lambda key: client.zrange(key, 0, -1),
    b"list": lambda key: client.lrange(key, 0, -1), b"set": client.smembers,
}
for key in client.scan_iter(count=1000):
    kind = client.type(key)
    sys.stdout.write(f"{key} {read[kind](key) if kind in read else ''}\\n")
"""


def look_for(canaries: Mapping[str, str], places: Iterator[tuple[str, bytes]]) -> None:
    """Fail where one of them is found; the places are named with how much was read."""
    for place, content in places:
        found = [name for name, text in canaries.items() if text.encode() in content]
        check(not found, f"{place} ({len(content):,} bytes) holds none{found or ''}")


def written(compose: Compose, pages: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """What people and other programs read: logs, Flower, metrics, the image."""
    yield "logs", compose("logs", "--no-color", shown=False).encode()
    yield from pages.items()
    for role in ("worker", "callbacks", "recovery"):
        yield f"metrics of {role}", _metrics(compose, role)
    yield "image", docker("save", "flow-atom:local")


def kept(compose: Compose) -> Iterator[tuple[str, bytes]]:
    """What Redis holds, and what it wrote to its disk."""
    tell("every value of Redis, and its append-only file")
    yield "Redis", compose("exec", "-T", "recovery", "python", "-c", _DUMP, shown=False).encode()
    files = compose("ps", "-q", "redis", shown=False).strip()
    with tarfile.open(fileobj=BytesIO(docker("cp", f"{files}:/data", "-"))) as copied:
        for member in copied:
            content = copied.extractfile(member)
            if content is not None:
                yield f"Redis' {member.name}", content.read()


def _metrics(compose: Compose, role: str) -> bytes:
    ask = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9464/metrics').read())"
    return compose("exec", "-T", role, "python", "-c", ask, shown=False).encode()


def secrets_of(settings: Mapping[str, str], **more: Any) -> dict[str, str]:
    """The secrets among settings, by their names, and others."""
    words = ("PASSWORD", "SECRET_KEY")
    return {name: text for name, text in settings.items() if name.endswith(words)} | more
