"""The open sessions of the console. A logout ends a session, and so every copy of its cookie."""

import hashlib
import secrets
from typing import Final

from atom.names import session_key
from atom.settings import Settings
from atom.store.connection import connect, guarded

SESSION_SECONDS: Final = 12 * 3600
_ID_BYTES: Final = 32


class SessionStore:
    """Sessions in Redis, each until its end or 12 h without use.

    Redis holds a hash of the id only, so that reading it opens no session.
    Every method raises StoreUnavailable if Redis does not answer.
    """

    def __init__(self, settings: Settings) -> None:
        self._url = settings.redis_url
        self._redis = connect(settings.redis_url)

    def open(self, user: str) -> str:
        """Open a session of that user, and return its id."""
        session_id = secrets.token_urlsafe(_ID_BYTES)
        with guarded(self._url):
            self._redis.set(_key(session_id), user, px=SESSION_SECONDS * 1000)
        return session_id

    def renew(self, session_id: str) -> bool:
        """Return whether the session is open; it then stays open for another 12 h."""
        with guarded(self._url):
            return bool(self._redis.pexpire(_key(session_id), SESSION_SECONDS * 1000))

    def end(self, session_id: str) -> None:
        """End the session; one that has ended stays so."""
        with guarded(self._url):
            self._redis.delete(_key(session_id))


def _key(session_id: str) -> str:
    return session_key(hashlib.sha256(session_id.encode()).hexdigest())
