"""The peers of the benchmark, as real processes."""

import asyncio
from http.client import HTTPConnection

import pytest

from benchmarks.round_trips import round_trips
from benchmarks.scene import on_scene
from benchmarks.stacks import PEERS


async def play(scene):
    await scene.send(5, concurrency=2)  # raises unless every callback has the right outputs
    return (
        await asyncio.to_thread(connection_headers, scene.port),
        await asyncio.to_thread(round_trips, scene.stack, 2),
    )


def connection_headers(port):
    """Return the Connection headers of two replies over one connection."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    found = []
    for _ in range(2):
        connection.request("GET", "/")
        reply = connection.getresponse()
        reply.read()
        found.append(reply.headers["Connection"])
    connection.close()
    return found


@pytest.mark.parametrize("peer", PEERS)
def test_peer_runs_flows_and_round_trips_over_kept_connections(peer):
    headers, trips = on_scene(peer, play)
    assert headers == ["keep-alive", "keep-alive"]
    assert trips.p50_ms > 0
