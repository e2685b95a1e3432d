"""Encryption at rest: what flows and processes said is unreadable in Redis without a key.

With ATOM_SECRET_KEY every document, token, running user, step, progress message, error, log line,
try of a callback and uploaded file is encrypted (Fernet: AES-128-CBC and an HMAC) before it is
written. What scripts decide by and people sort by stays readable: ids, service, action, tenant,
flow state, callbackUri, queue, trace, states, counts and times. Without the setting everything is
written as it is, and what was written so is read with it as well.

Setting the first key: give it to every role and restart them. What was written before stays as it
is until it expires.

Changing keys: `ATOM_SECRET_KEY=new,old` for every role, restart; what is written from then on needs
the new one. While some roles have it and some do not yet, those that cannot read something leave it
to the others and look again after 30 s; to spare even that, begin with `old,new`, which reads both
and writes as before. The old key can go when all that was written with it is gone:
ATOM_RETENTION_DAYS after the last execution of that time has ended, or, with a history database,
ATOM_HISTORY_RETENTION_DAYS after. What a lost key has encrypted
nobody can read: such executions end at their deadline, and their callbacks are parked after
ATOM_CALLBACK_HOURS.
"""

from collections.abc import Sequence
from typing import Any, Final

from atom.errors import SettingsError, Unreadable
from atom.store.lazily import import_fernet

# Where a value is not known to be encrypted: no text in UTF-8 begins with this byte.
_MARK: Final = b"\xff"

_KEY_CHARACTERS: Final = 44

# When somebody looks again at what could not be read: until then it is left to those who can.
LOOK_AGAIN_SECONDS: Final = 30.0


class Cipher:
    """Encrypts with the first of the keys, and reads with any. Safe to share between threads."""

    def __init__(self, keys: Sequence[str]) -> None:
        """From what ATOM_SECRET_KEY says; without a key it changes nothing.

        Raises:
            SettingsError: one of them is no key; it says which, and not how it reads.
        """
        given = [key.strip() for key in keys if key.strip()]
        self._fernet: Any = None
        if given:
            fernet = import_fernet()
            total = len(given)
            self._fernet = fernet.MultiFernet(
                [_key(fernet, key, f"{place} of {total}") for place, key in enumerate(given, 1)]
            )
            self._invalid: type[Exception] = fernet.InvalidToken

    @property
    def is_on(self) -> bool:
        """Whether there is a key to encrypt with."""
        return self._fernet is not None

    def seal(self, text: bytes) -> bytes:
        """A text in UTF-8 as it is stored; an empty one stays empty, for scripts look at that."""
        return _MARK + self.encrypt(text) if text and self.is_on else text

    def unseal(self, stored: bytes, whose: str) -> bytes:
        """What `seal` was given.

        Raises:
            Unreadable: it is encrypted, with none of our keys. `whose` is what it belongs to.
        """
        if not stored.startswith(_MARK):
            return stored
        return self.decrypt(stored.removeprefix(_MARK), whose)

    def encrypt(self, content: bytes) -> bytes:
        """Any content, unmarked; there has to be a key."""
        encrypted: bytes = self._fernet.encrypt(content)
        return encrypted

    def decrypt(self, encrypted: bytes, whose: str) -> bytes:
        """What `encrypt` was given.

        Raises:
            Unreadable: none of our keys reads it.
        """
        if not self.is_on:
            raise Unreadable(whose)
        try:
            content: bytes = self._fernet.decrypt(encrypted)
        except self._invalid:
            raise Unreadable(whose) from None
        return content


def new_key() -> str:
    """A random key for ATOM_SECRET_KEY."""
    key: bytes = import_fernet().Fernet.generate_key()
    return key.decode()


def _key(fernet: Any, key: str, which: str) -> Any:
    try:
        # The decoder would overlook what follows the padding, such as a second key.
        if len(key) == _KEY_CHARACTERS:
            return fernet.Fernet(key)
    except ValueError:
        pass
    raise SettingsError(
        f"ATOM_SECRET_KEY: key {which} is invalid; keys of ATOM_SECRET_KEY_FILE count last. A key "
        f"has {_KEY_CHARACTERS} characters (32 bytes as URL-safe base64); `atom secret-key` makes "
        "one."
    )
