"""Logs: a traceback is a bug, unless it was asked for."""

import re
from collections.abc import Iterator

from tests.chaos.evidence import Evidence
from tests.chaos.violations import Violation

_START = "Traceback (most recent call last):"
_FRAME = re.compile(r'^\s+File "(?P<path>[^"]+)", line \d+, in (?P<function>.+)$')
# Libraries, and the transport that Celery runs on: its methods call those of kombu.
_NOT_OURS = re.compile(r"/site-packages/|/lib/python3\.\d+/[^/]+\.py$|/atom/broker/\w+\.py$")
_EXCEPTION = re.compile(r"^(?P<name>[\w.]+)(:|$)")

# What a process was told to raise; and Celery about a child that was killed.
_DELIBERATE = re.compile(
    r"tests\.chaos\.services\.DeliberateFailureError|billiard\.exceptions\.WorkerLostError"
)
# Where the broker goes away, inside Celery, kombu and the Redis client: the lost connection …
_CONNECTION_LOSS = re.compile(
    r"(redis\.exceptions\.)?(ConnectionError|TimeoutError|BusyLoadingError)"
    r"|(kombu\.exceptions\.)?OperationalError"
    # … in kombu's words, where the channel has noticed already …
    r"|amqp\.exceptions\.(Recoverable)?ConnectionError"
    # … or in RabbitMQ's: it is being stopped, or has no leader for a queue yet …
    r"|amqp\.exceptions\.(ConnectionForced|ConsumerCancelled|NotFound|InternalError)"
    r"|ConnectionResetError|ConnectionRefusedError|BrokenPipeError|TimeoutError"
)
# What comes along with those: the last line of code, and the exception.
_COMPANIONS = {
    # kombu looks for a spare channel first; Python shows that as the context of what follows.
    ("return self._avail_channels.pop()", "IndexError: pop from empty list"),
    # So does py-amqp; and Celery ends a worker that waits for its broker by an exception.
    ("return self.channels[channel_id]", "KeyError: None"),
    ("raise WorkerShutdown(should_stop)", "celery.exceptions.WorkerShutdown: 0"),
    # Celery's pool has no queue for a new child before its loop has heard of the one that died, and
    # a lost connection keeps it from that: the worker ends, and is started again.
    ("return next(q for q, owner in self._queues.items()", "StopIteration"),
    # billiard wraps the exception about a child in another that quotes its traceback.
    ("raise WorkerLostError(", "billiard.einfo.ExceptionWithTraceback:"),
}


def check_logs(evidence: Evidence) -> Iterator[Violation]:
    """Every traceback that is neither deliberate nor a lost connection inside Celery."""
    for role, text in evidence.logs.items():
        for number, block in tracebacks(text):
            if not _is_excused(block):
                shown = " | ".join(line.strip() for line in (block[0], *block[-3:]))
                yield Violation("a traceback", f"{role}.log line {number}", shown[:600])


def tracebacks(text: str) -> Iterator[tuple[int, list[str]]]:
    """The line number and the lines of each traceback; a cause is a traceback of its own."""
    # In a role's log all but the first line of a record are behind a tab.
    lines = [line.removeprefix("\t") for line in text.splitlines()]
    for start, line in enumerate(lines):
        if line.strip() == _START:
            end = start + 1
            while end < len(lines) - 1 and lines[end].startswith(" "):
                end += 1
            yield start + 1, lines[start : end + 1]


def _is_excused(block: list[str]) -> bool:
    named = _EXCEPTION.match(block[-1])
    name = named["name"] if named else ""
    if _DELIBERATE.fullmatch(name):
        return True
    paths = [frame["path"] for line in block if (frame := _FRAME.match(line))]
    if not all(_NOT_OURS.search(path) for path in paths):
        return False
    code = [line.strip() for line in block if "^" not in line]
    return bool(_CONNECTION_LOSS.fullmatch(name)) or tuple(code[-2:]) in _COMPANIONS
