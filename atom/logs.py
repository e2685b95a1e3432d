"""Logging for a role's process; libraries and user code just log."""

import logging
import sys

from atom.redaction import redacted


class _ExecutionFilter(logging.Filter):
    """Gives every record an execution to show."""

    def filter(self, record: logging.LogRecord) -> bool:
        execution_id = getattr(record, "execution_id", None)
        record.execution = f" [{execution_id}]" if execution_id else ""
        return True


class _RedactingFormatter(logging.Formatter):
    """Hides the secrets of the running executions, in messages and tracebacks alike."""

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


def configure_logging(level: str) -> None:
    """Send every record to standard error: time, level, logger, execution, message."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_ExecutionFilter())
    handler.setFormatter(
        _RedactingFormatter("%(asctime)s %(levelname)-7s %(name)s%(execution)s: %(message)s")
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    if root.level > logging.DEBUG:
        # One line per message received and task done says less than our own lines do.
        for chatty in ("celery.worker.strategy", "celery.app.trace", "celery.beat"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
