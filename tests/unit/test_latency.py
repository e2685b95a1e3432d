"""The latest latencies: what counts, what is forgotten, and who shares them."""

import os

from atom.listener.latency import Latency


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def test_only_the_last_minute_counts():
    clock = Clock()
    latency = Latency(clock)
    assert latency.details() == {}
    latency.add(9.0)
    clock.now += 61
    assert latency.details() == {}
    for number in range(1, 101):
        latency.add(number / 1000)
    assert latency.details() == {"accept_p50_ms": "51.0", "accept_p99_ms": "100.0"}


def test_the_latest_are_kept_of_very_many():
    latency = Latency(Clock())
    for _ in range(10_000):
        latency.add(9.0)
    for _ in range(1_000):
        latency.add(0.001)
    assert latency.details()["accept_p99_ms"] == "1.0"


def test_forked_processes_share_them():
    latency = Latency(Clock())
    child = os.fork()
    if child == 0:
        latency.add(0.5)
        os._exit(0)
    os.waitpid(child, 0)
    assert latency.details()["accept_p50_ms"] == "500.0"
