"""Logging for a role's process; libraries and user code just log.

Every line goes through one formatter, whoever wrote it: as text for people, or as one JSON object.
In both, nothing that is logged can pass for another line: a text that has several lines goes on
behind a tab, and what is not printable is escaped.
"""

import logging
import re
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Final, Protocol

import orjson
import structlog
from structlog.contextvars import get_contextvars

from atom.redaction import MASK, Secret, is_known, redacted

# Of people's interest are their own lines; these come from what those run on.
_LIBRARIES: Final = {
    *("celery", "kombu", "amqp", "billiard", "vine", "redis", "gunicorn", "urllib3", "flower"),
    *("asyncio", "concurrent", "opentelemetry", "structlog"),
}
# Our own loggers whose lines belong in the log of an execution.
_OF_PROCESSES: Final = (
    *("atom.process.", "atom.printed", "atom.execution."),
    *("atom.accepted_values", "atom.outcome"),
)
# Controls, separators of lines, and what turns the direction of writing around.
_UNPRINTABLE: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
# What is known of an execution, in the order in which lines say it.
_CONTEXT: Final = ("execution_id", "service", "action", "tenant_id", "flow_state_id", "attempt")
# What no secret is in.
_OURS: Final = ("timestamp", "level", "role", "worker")
# A value that needs no quotes.
_BARE: Final = re.compile(r"[^\s\"=]+")
# What every record has; the rest is what whoever logged added.
_OF_RECORDS: Final = vars(logging.makeLogRecord({})).keys() | {"message", "asctime"}
_DEEPEST: Final = 10
_LARGEST_INTEGER: Final = 2**63

_collector: ContextVar[Callable[[logging.LogRecord], None] | None] = ContextVar(
    "collector", default=None
)


class Concerned(Protocol):
    """A record of the store that knows whose execution it is about."""

    @property
    def service(self) -> str:
        """The name of the Flow Service."""

    @property
    def action(self) -> str:
        """The process that it asks for."""

    @property
    def tenant_id(self) -> str:
        """The tenant whose flow asks."""

    @property
    def state_id(self) -> str:
        """The state of that flow."""


def context_of(execution_id: str, concerned: Concerned) -> dict[str, str]:
    """What each line about an execution carries, for `structlog.contextvars` to bind.

    A thread that user code starts has a context of its own, which is empty.
    """
    return {
        "execution_id": execution_id,
        "service": concerned.service,
        "action": concerned.action,
        "tenant_id": concerned.tenant_id,
        "flow_state_id": concerned.state_id,
    }


@contextmanager
def collecting(take: Callable[[logging.LogRecord], None]) -> Iterator[None]:
    """Hand over what is logged in this context about an execution, from INFO on.

    That is what its process logs and prints, and what we say of it; libraries are left out.
    """
    token = _collector.set(take)
    try:
        yield
    finally:
        _collector.reset(token)


def configure_logging(level: str, log_format: str = "auto", role: str = "atom") -> None:
    """Send every record to standard error, and to whoever is `collecting`.

    Args:
        level: of what is written; what is collected does not depend on it.
        log_format: text, json, or auto: text where standard error is a terminal.
        role: of this process, which JSON names.
    """
    written = logging.StreamHandler(sys.stderr)
    written.setLevel(level.upper())
    is_text = log_format == "text" or (log_format == "auto" and sys.stderr.isatty())
    written.setFormatter(_Formatter(_as_text if is_text else _as_json, role))
    root = logging.getLogger()
    root.handlers[:] = [written, _Collected(logging.INFO)]
    root.setLevel(min(written.level, logging.INFO))
    logging.captureWarnings(True)
    # For services that log with structlog themselves: their lines go the same way.
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.render_to_log_args_and_kwargs,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    if written.level > logging.DEBUG:
        # One line per message received and task done says less than our own lines do.
        for chatty in ("celery.worker.strategy", "celery.app.trace"):
            logging.getLogger(chatty).setLevel(logging.WARNING)


def printable(text: str) -> str:
    """The text with its unprintable characters escaped; line breaks and tabs stay."""
    if text.isprintable():
        return text
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text.replace("\r\n", "\n"))


class _Collected(logging.Handler):
    """Passes records on to who collects in the context in which they were logged."""

    def handle(self, record: logging.LogRecord) -> bool:
        """Take a record; without a lock, since whoever collects may wait for the store."""
        take = _collector.get()
        if take is not None and _is_of_processes(record.name):
            try:
                take(record)
            except Exception:  # who logs is never to blame
                self.handleError(record)
        return True


def _is_of_processes(name: str) -> bool:
    root = name.partition(".")[0]
    return name.startswith(_OF_PROCESSES) if root == "atom" else root not in _LIBRARIES


class _Formatter(logging.Formatter):
    """One record, one line (and what follows it behind a tab), without secrets.

    Whoever logs may add keys of its own, but cannot change what we say. structlog has a formatter
    too; what it does for a record that reaches it this way takes as long as all of this.
    """

    def __init__(self, render: Callable[[dict[str, Any]], str], role: str) -> None:
        super().__init__()
        self._render, self._role = render, role
        self._host = socket.gethostname()

    def format(self, record: logging.LogRecord) -> str:
        """Format it; a call whose arguments do not fit is told, without the arguments."""
        try:
            return self._render(self._line(record))
        except Exception as error:
            told = logging.LogRecord(
                record.name,
                logging.ERROR,
                record.pathname,
                record.lineno,
                "What is logged at %s:%d cannot be written: %s",
                (record.pathname, record.lineno, type(error).__name__),
                None,
            )
            return self._render(self._line(told))

    def _line(self, record: logging.LogRecord) -> dict[str, Any]:
        """Our keys, in their order."""
        extra: dict[str, Any] = {}
        if record.name.partition(".")[0] not in _LIBRARIES:
            extra = {key: each for key, each in vars(record).items() if key not in _OF_RECORDS}
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        head = {
            "timestamp": moment.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        tail = {"role": self._role, "worker": f"{self._host}:{record.process}"}
        if record.exc_info and record.exc_info[0]:
            tail["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            tail["stack"] = record.stack_info
        bound = get_contextvars()
        context = {key: bound[key] for key in _CONTEXT if key in bound} | bound
        line = head | context | extra | context | head | tail
        names = {key for key in _CONTEXT if key in bound}
        return {
            str(key): value if key in _OURS else _plain(value, is_name=key in names)
            for key, value in line.items()
        }


def _plain(value: Any, depth: int = 0, *, is_name: bool = False) -> Any:
    """Return what JSON has words for, without secrets.

    Args:
        value: any value.
        depth: how deeply it is nested in what is logged.
        is_name: whether it is a key or an id, which a short secret may be by chance.
    """
    match value:
        case None | bool():
            return value
        case Secret():
            return MASK
        case str():
            return printable(redacted(value, words=not is_name))
        case float() | int() if is_known(str(value), words=not is_name):
            return MASK
        case float() if isfinite(value):
            return value
        case int() if abs(value) < _LARGEST_INTEGER:
            return value
        case Mapping() if depth < _DEEPEST:
            return {
                _plain(str(key), is_name=True): _plain(inner, depth + 1)
                for key, inner in value.items()
            }
        case list() | tuple() | set() | frozenset() if depth < _DEEPEST:
            return [_plain(each, depth + 1) for each in value]
    return _plain(str(value))


def _as_json(line: Mapping[str, Any]) -> str:
    return orjson.dumps(line).decode()


def _as_text(line: dict[str, Any]) -> str:
    """Time, level, logger, message, context; then what has lines of its own."""
    first, *others = str(line.pop("message")).split("\n")
    head = f"{line.pop('timestamp')} {line.pop('level'):<7} {_word(line.pop('logger'))}: {first}"
    for name in ("stack", "exception"):
        others += line.pop(name, "").splitlines()
    for name in ("role", "worker"):  # of the whole terminal, as a rule
        del line[name]
    context = "".join(f" {_word(key)}={_word(value)}" for key, value in line.items())
    return "\n\t".join([f"{head}{'  ' if context else ''}{context.strip()}", *others])


def _word(value: Any) -> str:
    """A value that shows where it ends."""
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if _BARE.fullmatch(text) else orjson.dumps(text).decode()
