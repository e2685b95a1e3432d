"""The flows, states and installed services of a sandbox in a file, which outlives a restart.

The file holds no raw message, and secret inputs and outputs are masked. Credentials and
configuration values are encrypted, or left out without a key. The file does hold the tokens that
callbacks carry, so its mode is 0600.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from atom.errors import StartupError, Unreadable
from atom.redaction import masked
from atom.sandbox.flows import Call, Event, Flow
from atom.sandbox.problems import SandboxError
from atom.store.encryption import Cipher

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS flows (
    number INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, document TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS events (
    flow_id TEXT NOT NULL, number INTEGER NOT NULL, document TEXT NOT NULL,
    PRIMARY KEY (flow_id, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS states (
    number INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, document TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS logins (digest TEXT PRIMARY KEY, flow_id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS services (url TEXT PRIMARY KEY, document TEXT NOT NULL, secrets BLOB);
"""
# Not the request: its inputs may be secret, and it is not sent again.
_KEPT_OF_A_CALL: Final = (
    *("token", "url", "action", "requests"),
    *("is_answered", "is_over", "has_fault", "has_failed", "moves"),
)
_UPSERT: Final = (
    "INSERT INTO {} (id, document) VALUES (?, ?) "
    "ON CONFLICT (id) DO UPDATE SET document = excluded.document"
)


class SandboxDatabase:
    """A SQLite file; every write is committed when its method returns. Safe to share."""

    def __init__(self, path: Path, secret_key: Sequence[str] = ()) -> None:
        """Open the file, or make it.

        Args:
            path: of the file.
            secret_key: the keys of ATOM_SECRET_KEY; without one no secret is written.

        Raises:
            StartupError: it cannot be opened, or is not such a file.
            SettingsError: a key is invalid.
        """
        self._lock = threading.Lock()
        self._cipher = Cipher(secret_key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # SQLite gives the files beside it the mode that this one has.
            path.touch(mode=0o600)
            path.chmod(0o600)
            self._connection = _connect(path)
        except (OSError, sqlite3.Error) as error:
            raise StartupError(
                f"The sandbox cannot keep its flows in {path}: {error}. Move the file away, or "
                "name another one."
            ) from None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    # --- flows

    def save_flow(self, flow: Flow, event: Event | None = None) -> None:
        """Write where a flow stands, with its newest event; the caller holds `flow.changed`.

        Raises:
            SandboxError: it could not be written.
        """
        calls = [
            {name: getattr(call, name) for name in _KEPT_OF_A_CALL} for call in flow.calls.values()
        ]
        document = {"tenant_id": flow.tenant_id, "began_at": flow.began_at, "calls": calls}
        statements: list[tuple[Any, ...]] = [(_UPSERT.format("flows"), flow.id, _text(document))]
        if event is not None:
            content = {
                "kind": event.kind,
                "at": event.at,
                "token": event.token,
                "details": masked(event.details),
            }
            statement = "INSERT OR REPLACE INTO events VALUES (?, ?, ?)"
            statements.append((statement, flow.id, event.number, _text(content)))
        self._write(*statements)

    def delete_flow(self, flow_id: str) -> None:
        """Forget a flow."""
        self._write(
            ("DELETE FROM events WHERE flow_id = ?", flow_id),
            ("DELETE FROM flows WHERE id = ?", flow_id),
        )

    def flows(self) -> list[Flow]:
        """Return every flow, oldest first.

        The answer to a request that was under way is lost. Its flow waits, as after a WAIT: if the
        service took the request, a callback follows.
        """
        rows = self._read("SELECT id, document FROM flows ORDER BY number")
        return [self._flow(flow_id, orjson.loads(document)) for flow_id, document in rows]

    def _flow(self, flow_id: str, document: Mapping[str, Any]) -> Flow:
        calls = [Call(request={}, **call) for call in document["calls"]]
        for call in calls:
            call.is_answered = True
        began_at = datetime.fromisoformat(document["began_at"])
        events = self._read(
            "SELECT number, document FROM events WHERE flow_id = ? ORDER BY number", flow_id
        )
        return Flow(
            tenant_id=document["tenant_id"],
            id=flow_id,
            calls={call.token: call for call in calls},
            events=[Event(number=number, **orjson.loads(text)) for number, text in events],
            began=time.monotonic() - (datetime.now(UTC) - began_at).total_seconds(),
            began_at=began_at,
            database=self,
        )

    # --- states of the Run API

    def save_state(self, state_id: str, document: Mapping[str, Any]) -> None:
        """Write where a run of a flow stands; raises SandboxError."""
        self._write((_UPSERT.format("states"), state_id, _text(document)))

    def states(self) -> dict[str, dict[str, Any]]:
        """Return every state by its id, oldest first."""
        rows = self._read("SELECT id, document FROM states ORDER BY number")
        return {state_id: orjson.loads(document) for state_id, document in rows}

    def save_login(self, digest: str, flow_id: str) -> None:
        """Write the digest of a login's token, and the flow that it is for."""
        self._write(("INSERT OR REPLACE INTO logins VALUES (?, ?)", digest, flow_id))

    def logins(self) -> dict[str, str]:
        """Return the flows of all logins by the digests of their tokens."""
        return dict(self._read("SELECT digest, flow_id FROM logins"))

    # --- installed services

    def save_service(
        self, url: str, document: Mapping[str, Any], secrets: Mapping[str, Any] | None
    ) -> None:
        """Write an installed service.

        Args:
            url: of the service.
            document: written in plain text.
            secrets: encrypted, or left out without a key; None leaves those in the file as they
                are, readable or not.

        Raises:
            SandboxError: it could not be written.
        """
        statement = (
            "INSERT INTO services VALUES (?, ?, ?) "
            "ON CONFLICT (url) DO UPDATE SET document = excluded.document"
        )
        sealed = None
        if secrets is not None:
            statement += ", secrets = excluded.secrets"
            sealed = self._cipher.encrypt(orjson.dumps(secrets)) if self._cipher.is_on else None
        self._write((statement, url, _text(document), sealed))

    def services(self) -> Iterator[tuple[str, dict[str, Any], dict[str, Any] | None]]:
        """Yield URL, document and secrets of each service; None for secrets that are lost.

        Secrets are lost if they were written without a key, or with a key that is not given now.
        """
        for url, document, sealed in self._read("SELECT url, document, secrets FROM services"):
            yield url, orjson.loads(document), self._unsealed(url, sealed)

    def _unsealed(self, url: str, sealed: bytes | None) -> dict[str, Any] | None:
        if sealed is None:
            return None
        try:
            return dict(orjson.loads(self._cipher.decrypt(sealed, url)))
        except Unreadable:
            return None

    # --- the file

    def _write(self, *statements: tuple[Any, ...]) -> None:
        """Run each statement with its values, all in one transaction."""
        try:
            with self._lock, self._connection:
                for statement, *values in statements:
                    self._connection.execute(statement, values)
        except sqlite3.Error as error:
            raise SandboxError(f"The sandbox cannot write its database: {error}.", 503) from None

    def _read(self, statement: str, *values: Any) -> list[Any]:
        with self._lock:
            return self._connection.execute(statement, values).fetchall()


def _connect(path: Path) -> sqlite3.Connection:
    """Open the file and make its tables; a file that cannot be used is closed again."""
    with ExitStack() as stack:
        connection = stack.enter_context(closing(sqlite3.connect(path, check_same_thread=False)))
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(_TABLES)
        stack.pop_all()
    return connection


def _text(document: Mapping[str, Any]) -> str:
    return orjson.dumps(document).decode()
