"""What the parts of the Redis store share: its connections, its scripts, its error."""

from datetime import datetime
from typing import Any, Final

from atom import names
from atom.settings import Settings
from atom.store.connection import REPLY_SECONDS, connect, guarded, server_time
from atom.store.encryption import Cipher
from atom.store.reading import Reader
from atom.store.scripts import OnReleased, Scripts

_BLOCKING_SECONDS: Final = 75.0


def in_ms(seconds: float) -> int:
    """Seconds as Redis counts them."""
    return int(seconds * 1000)


class RedisPart:
    """Connections to the Redis of the settings. Safe to share between threads, and after a fork."""

    def __init__(
        self,
        settings: Settings,
        *,
        within_seconds: float | None = None,
        on_released: OnReleased | None = None,
    ) -> None:
        """Make them.

        Args:
            settings: they name it.
            within_seconds: for who cannot wait: what is not answered by then is not tried again.
            on_released: told, after a write, of the executions that it made room for: their
                messages are to be published. Without it recovery makes that room, within a second.
        """
        self._url = settings.redis_url
        self._settings = settings
        if within_seconds is None:
            self._redis = connect(settings.redis_url)
        else:
            self._redis = connect(settings.redis_url, within_seconds, retries=False)
        # A blocking read may take as long as a synchronous request may wait; what it took and could
        # not bring would not come again.
        self._blocking = connect(settings.redis_url, _BLOCKING_SECONDS, retries=False)
        self._cipher = Cipher(settings.secret_key)
        self._scripts = Scripts(
            self._redis,
            republish_ms=in_ms(settings.republish_seconds),
            keeps_secrets=settings.keep_secrets == "retry",
            caller_seconds=REPLY_SECONDS if within_seconds is None else within_seconds,
            on_released=on_released,
        )
        self._retention_ms = in_ms(settings.retention_days * 86_400)

    def _reader(self, execution_id: str, *, is_lenient: bool = False) -> Reader:
        return Reader(self._cipher, execution_id, is_lenient=is_lenient)

    @staticmethod
    def _keys(execution_id: str) -> tuple[str]:
        """The keys of a script over one execution; the others follow from it."""
        return (names.execution_key(execution_id),)

    def _guard(self) -> Any:
        return guarded(self._url)

    def _now(self) -> datetime:
        """Return the time by the clock of Redis."""
        with self._guard():
            return server_time(self._redis)

    def close(self) -> None:
        """Give the connections back."""
        self._redis.close()
        self._blocking.close()

    def ping(self) -> None:
        """See ExecutionStore."""
        with self._guard():
            self._redis.ping()
