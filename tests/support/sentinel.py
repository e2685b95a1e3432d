"""A Redis with a replica, and three Sentinels that watch them: a real set-up on loopback."""

import subprocess
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from redis import Redis, RedisError

from atom.cli.embedded_redis import EmbeddedRedis, find_redis_server
from tests.support.ports import free_port
from tests.support.waiting import until

NAME = "watched"
_SENTINELS = 3


class Sentinels:
    """Watches a Redis that runs already; as a context manager for as long as the block."""

    def __init__(self, directory: Path, primary: EmbeddedRedis) -> None:
        self._directory = directory
        self._primary = primary
        self._replica = EmbeddedRedis(directory / "replica")
        self._ports = [free_port() for _ in range(_SENTINELS)]
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def url(self) -> str:
        hosts = ";".join(f"sentinel://127.0.0.1:{port}" for port in self._ports)
        return f"{hosts}/0?master_name={NAME}"

    def __enter__(self) -> Self:
        self._replica.start()
        with Redis.from_url(self._replica.url) as client:
            client.replicaof("127.0.0.1", str(_port(self._primary)))
        for port in self._ports:
            config = self._directory / f"sentinel-{port}.conf"  # which it writes into
            config.write_text(
                f"port {port}\nbind 127.0.0.1\ndir {self._directory}\nlogfile {config}.log\n"
                f"sentinel monitor {NAME} 127.0.0.1 {_port(self._primary)} 2\n"
                f"sentinel down-after-milliseconds {NAME} 1500\n"
                f"sentinel failover-timeout {NAME} 10000\n"
            )
            self._processes.append(
                subprocess.Popen(
                    [find_redis_server(), str(config), "--sentinel"],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            )
        until(lambda: all(map(self._knows_the_others, self._ports)), "the Sentinels", 60)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        self._replica.stop()

    def fail_over(self) -> None:
        """Kill the primary once its replica has everything; return when there is another."""
        with Redis.from_url(self._primary.url) as client:
            until(lambda: client.wait(1, 1000), "the replica to have everything")
        self._primary.process.kill()
        self._primary.process.wait()
        until(lambda: self._says() == _port(self._replica), "the failover", 60)

    def kill_one(self) -> None:
        """The first in the URL."""
        self._processes[0].kill()
        self._processes[0].wait()

    def _says(self) -> int:
        with Redis(port=self._ports[-1]) as client:
            return int(client.sentinel_get_master_addr_by_name(NAME)[1])

    def _knows_the_others(self, port: int) -> bool:
        with Redis(port=port) as client:
            try:
                state = client.sentinel_master(NAME)
            except RedisError:
                return False
        return (
            state["num-other-sentinels"] == _SENTINELS - 1
            and state["num-slaves"] == 1
            and not state["is_disconnected"]
        )


def _port(redis: EmbeddedRedis) -> int:
    return urlsplit(redis.url).port or 0
