"""What the Redis server says of itself."""

from typing import Any, Final

import redis

from atom import names
from atom.records import ServerFacts
from atom.store.redis_part import RedisPart

_PROBE_SECONDS: Final = 60


class RedisServer(RedisPart):
    """See `ExecutionStore`."""

    def facts(self) -> ServerFacts | None:
        """See ExecutionStore; INFO alone, for a managed Redis may refuse CONFIG."""
        with self._guard():
            try:
                info: dict[str, Any] = self._redis.info()
            except redis.ResponseError:  # it answers: the user may not, or the command was renamed
                return None
        written = {
            "AOF": info.get("aof_last_write_status"),
            "rewritten AOF": info.get("aof_last_bgrewrite_status"),
            "RDB": info.get("rdb_last_bgsave_status"),
        }
        return ServerFacts(
            version=str(info.get("redis_version", "")),
            used_bytes=int(info.get("used_memory", 0)),
            max_bytes=int(info.get("maxmemory", 0)),
            policy=str(info.get("maxmemory_policy", "")),
            evicted=int(info.get("evicted_keys", 0)),
            clients=int(info.get("connected_clients", 0)),
            max_clients=int(info.get("maxclients", 0)),
            is_append_only=bool(info.get("aof_enabled", 0)),
            is_replica=info.get("role") == "slave",
            failed=tuple(name for name, status in written.items() if status == "err"),
        )

    def check_writable(self) -> None:
        """See ExecutionStore."""
        with self._guard():
            self._redis.set(names.PROBE, "", ex=_PROBE_SECONDS)
