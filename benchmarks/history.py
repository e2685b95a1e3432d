"""`python -m benchmarks.history`: the console's list over a long history, and what that takes.

The history is made of real executions, run through the store, of which the server makes copies with
other ids and times, in the same indexes: a million of them in a minute.
"""

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode
from uuid import uuid4

from redis import Redis
from rich.console import Console
from rich.table import Table

from atom import names
from atom.cli.embedded_redis import EmbeddedRedis, free_port
from atom.history import ExecutionFilter
from atom.records import Attempt, NewExecution, State, Step, StepKind
from atom.settings import Settings
from atom.store import RedisStore, open_store
from benchmarks.command import default_result, positive, running_to_the_end
from benchmarks.errors import BenchmarkError

SERVICES: Final = ("CRM", "Orders", "Billing", "Mail")
ACTIONS: Final = ("Create", "Retrieve", "Item.query")
TENANTS: Final = tuple(f"tenant-{number}" for number in range(10))
# As things go: most is well.
STATES: Final = (*[State.COMPLETED] * 15, *[State.FAULTED] * 3, State.FAILED, State.TIMED_OUT)
DAYS: Final = 30
_BATCH: Final = 2_000

# KEYS the prefix of executions, the history. ARGV the first number, how many,
# the time between two (ms), now (ms), and the ids of the templates.
_COPY: Final = """
local first, count = tonumber(ARGV[1]), tonumber(ARGV[2])
for number = first, first + count - 1 do
  local template = ARGV[5 + number % (#ARGV - 4)]
  local digest = redis.sha1hex(ARGV[4] .. number)
  local id = string.format('%s-%s-%s-%s-%s', digest:sub(1, 8), digest:sub(9, 12),
    digest:sub(13, 16), digest:sub(17, 20), digest:sub(21, 32))
  local from, to = KEYS[1] .. template, KEYS[1] .. id
  for _, part in ipairs({'', ':documents', ':steps', ':log'}) do
    redis.call('COPY', from .. part, to .. part)
  end
  local at = math.floor(tonumber(ARGV[4]) - number * tonumber(ARGV[3]))
  local row = redis.call('HMGET', to, 'service', 'action', 'tenant_id', 'state')
  local flow_state = 'state-' .. digest:sub(1, 20)
  redis.call('HSET', to, 'accepted_at', at, 'started_at', at + 20, 'finished_at', at + 900,
    'delivered_at', at + 950, 'state_id', flow_state)
  redis.call('ZADD', KEYS[2], at, id)
  redis.call('ZADD', KEYS[2] .. ':flow-states', 0, flow_state .. ' ' .. id)
  redis.call('ZADD', KEYS[2] .. ':process:' .. row[1] .. '.' .. row[2] .. ':' .. row[4], at, id)
  redis.call('ZADD', KEYS[2] .. ':tenant:' .. row[3] .. ':' .. row[4], at, id)
end
"""


def main() -> None:
    """Print the table and write the figures; exit with 1 where the run was not valid."""
    arguments = _arguments()
    console = Console(highlight=False)
    with (
        running_to_the_end("benchmarks.history"),
        tempfile.TemporaryDirectory() as directory,
        EmbeddedRedis(Path(directory)) as redis,
    ):
        filled = fill(redis.url, arguments.executions, console.print)
        settings = Settings(redis_url=redis.url, history_url=arguments.history_url)
        moved = move(settings) if arguments.history_url else {}
        rows = list(measure(settings, arguments.requests, directory))
        console.print(_table(rows))
        console.print(_memory(filled))
        if moved:
            console.print(f"Moved: {moved}")
        document = {
            "history": filled,
            "moved": moved,
            "requests": arguments.requests,
            "pages": rows,
        }
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(document, indent=2) + "\n")
    console.print(f"Written to {arguments.json}")


def fill(url: str, count: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Make that many finished executions; how many bytes Redis takes for each.

    Raises:
        BenchmarkError: they are not all to be found.
    """
    store = RedisStore(Settings(redis_url=url))
    templates, document_bytes = _templates(store)
    with Redis.from_url(url) as client:
        client.config_set("appendonly", "no")  # the file is no part of what is measured
        before = client.info("memory")["used_memory"]
        copy = client.register_script(_COPY)
        step = timedelta(days=DAYS).total_seconds() * 1000 / count
        now = int(time.time() * 1000)
        keys = [names.execution_key(""), names.HISTORY]
        for first in range(0, count, _BATCH):
            many = min(_BATCH, count - first)
            copy(keys, [first, many, step, now, *templates])
            if first % 200_000 == 0:
                say(f"{first:,} of {count:,}")
        used = client.info("memory")["used_memory"] - before
    counts = store.count_states()
    if counts is None or sum(counts.values()) != count + len(templates):
        raise BenchmarkError(f"of {count} executions the indexes have {counts}")
    store.close()
    return {
        "executions": count,
        "bytes_each": round(used / count),
        "document_bytes_each": document_bytes,
    }


def _templates(store: RedisStore) -> tuple[list[str], int]:
    """One real execution for each process, tenant and state: request and response of 1.2 KB."""
    request = json.dumps({"inputs": [{"developerName": "Text", "contentValue": "x" * 1_120}]})
    response = json.dumps({"invokeType": "FORWARD", "outputs": [{"contentValue": "y" * 1_120}]})
    ids = []
    for service, action, tenant, state in product(SERVICES, ACTIONS, TENANTS, STATES):
        new = NewExecution(
            service=service,
            action=action,
            tenant_id=tenant,
            state_id=f"state-{uuid4()}",
            token=str(uuid4()),
            callback_uri="https://flow.boomi.com/api/run/1/response",
            authorization=None,
            request=request.encode(),
            queue="processes",
            version="1",
            profiles="",
            timeout_seconds=600,
        )
        store.accept(new)
        claim = store.claim(new.id, "host:1", "1")
        if claim is None:
            raise BenchmarkError("an execution could not be claimed")
        store.record_step(claim, 0, Step("ask", '"answer"', StepKind.RESULT))
        error = "" if state is State.COMPLETED else "It did not work out."
        store.finish(claim, state, response.encode(), error)
        delivery = store.claim_delivery(new.id)
        if delivery is None:
            raise BenchmarkError("a callback could not be claimed")
        answer = Attempt(
            at=datetime.now(UTC), kind="outcome", status=200, answer="SUCCESS", milliseconds=9
        )
        store.record_delivery(delivery, "delivered", answer)
        store.dismiss(new.id)
        ids.append(new.id)
    return ids, len(request) + len(response)


def move(settings: Settings) -> dict[str, float]:
    """Move all of them to the history database, as recovery does; how quickly, and what stays."""
    store = open_store(replace(settings, history_after_hours=1e-9))
    count, started = 0, time.perf_counter()
    while settled := store.take_settled(500):
        count += store.remove_copied(store.copy_settled(settled))
    seconds = time.perf_counter() - started
    store.close()
    with Redis.from_url(settings.redis_url) as client:
        used = client.info("memory")["used_memory"]
    return {"executions": count, "a_second": round(count / seconds), "redis_bytes": used}


def measure(settings: Settings, requests: int, directory: str) -> Iterator[dict[str, Any]]:
    """Ask a real console for the list, with no filter and with each; milliseconds."""
    bind = f"127.0.0.1:{free_port()}"
    environment = {
        **os.environ,
        "ATOM_REDIS_URL": settings.redis_url,
        "ATOM_HISTORY_URL": settings.history_url,
        "ATOM_CONSOLE_BIND": bind,
    }
    with Path(directory, "console.log").open("wb") as log:
        console = subprocess.Popen(
            [sys.executable, "-m", "atom", "console"], env=environment, stdout=log, stderr=log
        )
    try:
        _wait_for(bind)
        store = open_store(settings)
        some = store.find(1, ExecutionFilter(service="CRM")).executions[0]
        older = store.find(50, ExecutionFilter(state=State.FAULTED)).older
        store.close()
        month = datetime.now(UTC) - timedelta(days=20)
        for name, query in {
            "no filter": {},
            "state=completed": {"state": "completed"},
            "state=failed": {"state": "failed"},
            "state=accepted (none)": {"state": "accepted"},
            "service": {"service": "CRM"},
            "action": {"action": "Item.query"},
            "tenant": {"tenant": TENANTS[3]},
            "since 1 h": {"since": "1h"},
            "a day, 20 days ago": {
                "since": f"{month:%Y-%m-%dT%H:%M}",
                "until": f"{month + timedelta(days=1):%Y-%m-%dT%H:%M}",
            },
            "text: an id": {"text": some.id},
            "text: a flow state": {"text": some.flow_state_id[:12]},
            "page 2 of state=faulted": {"state": "faulted", "older_than": older},
            "tenant, service and state": {
                "tenant": TENANTS[3],
                "service": "CRM",
                "state": "timed_out",
            },
        }.items():
            took = _ask(bind, f"/executions?{urlencode(query)}", requests)
            yield {
                "page": name,
                "p50": round(statistics.median(took), 1),
                "p95": round(took[int(len(took) * 0.95)], 1),
            }
    finally:
        console.terminate()
        console.wait()


def _ask(bind: str, path: str, times: int) -> list[float]:
    """How long each took, shortest first."""
    connection = http.client.HTTPConnection(bind, timeout=60)
    took = []
    for _ in range(times):
        started = time.perf_counter()
        connection.request("GET", path)
        reply = connection.getresponse()
        body = reply.read()
        took.append((time.perf_counter() - started) * 1000)
        if reply.status != 200 or b"</html>" not in body:
            raise BenchmarkError(f"{path}: {reply.status}")
    connection.close()
    return sorted(took)


def _wait_for(bind: str) -> None:
    for _ in range(600):
        try:
            connection = http.client.HTTPConnection(bind, timeout=5)
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise BenchmarkError("the console does not answer")


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table("GET /executions", "p50 ms", "p95 ms")
    for row in rows:
        table.add_row(row["page"], f"{row['p50']:.1f}", f"{row['p95']:.1f}")
    return table


def _memory(filled: dict[str, Any]) -> str:
    each, documents = filled["bytes_each"], filled["document_bytes_each"]
    return (
        f"{filled['executions']:,} finished executions: {each:,} bytes of Redis each, of which "
        f"{documents:,} are request and response, and {each - documents:,} what is known of it."
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.history", description=__doc__)
    parser.add_argument("--executions", type=positive, default=1_000_000, help="(1,000,000)")
    parser.add_argument("--requests", type=positive, default=100, help="of each page (100)")
    parser.add_argument(
        "--history-url", default="", help="of an empty database that all are moved to before"
    )
    parser.add_argument("--json", type=Path, default=default_result("history-"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
