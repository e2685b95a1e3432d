#!/usr/bin/env python3
"""`atom-health`: whether the roles of this container are well, for every role the same command.

    HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["atom-health"]

Exit code 0 where each role of this user on this machine is well, 1 where one is not, or none runs;
with a sentence for each. A role leaves a note of itself under the temporary directory: where it
answers `/health`, or, where it is a worker, a file that it touches every 2 s. What a worker says of
itself is in `workers/heartbeat.py`.

It imports nothing but the standard library, and no settings are read: a check that imports the
application takes most of a second of CPU, every few seconds, in every container. In a source tree
it is `python atom/health.py`; a wheel installs this very file as a script.
"""

import json
import logging
import os
import socket
import ssl
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

_log = logging.getLogger(__name__)

_ANSWER_SECONDS: Final = 4.0
_EVERY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}  # noqa: S104


class Note:
    """What a role says of itself on its own machine; gone to its reader when the role is dead."""

    def __init__(self, role: str, **where: Any) -> None:
        self._role, self._where = role, where
        self._path = directory() / f"{role}-{os.getpid()}.json"
        self._written: tuple[str, str] | None = None

    def write(self, wrong: str = "", waits: str = "") -> None:
        """Write whether the role is well.

        Args:
            wrong: a sentence, empty if it is well.
            waits: what a role that is well waits for, such as Redis.

        Raises:
            OSError: there is no place for it. A role works without; its container is not healthy.
        """
        if (wrong, waits) == self._written and self._path.exists():
            os.utime(self._path)
            return
        _make_directory()
        said = {"role": self._role, "pid": os.getpid(), "wrong": wrong, "waits": waits}
        document = {**said, **self._where}
        unfinished = self._path.with_suffix(".new")
        unfinished.write_text(json.dumps(document))
        unfinished.replace(self._path)
        self._written = wrong, waits


def answers_at(role: str, host: str, port: int, path: str = "/health", *, tls: str = "") -> None:
    """Leave the note of a role that answers HTTP.

    Args:
        role: what it is.
        host: where it listens; all addresses will do.
        port: the same.
        path: what to ask for; 200 is well.
        tls: empty for plain http, `server`, or `mutual` where callers show a certificate.
    """
    try:
        forget_the_dead()
        Note(role, host=_EVERY_ADDRESS.get(host, host), port=port, path=path, tls=tls).write()
    except OSError as error:
        _log.warning("The %s works, but atom-health cannot find it: %s", role, error)


def directory() -> Path:
    """Where the notes of this user are."""
    return Path(os.environ.get("TMPDIR") or "/tmp") / f"flow-atom-{os.getuid()}"  # noqa: S108


def forget_the_dead() -> None:
    """Delete the notes of roles that ended."""
    for path, document in _notes():
        if not _is_alive(document["pid"]):
            path.unlink(missing_ok=True)


def check() -> tuple[list[str], list[str]]:
    """What is well, and what is wrong: a sentence for each role that runs."""
    well: list[str] = []
    wrong: list[str] = []
    for path, document in _notes():
        if not _is_alive(document["pid"]):
            continue
        name = f"{document['role']} (process {document['pid']})"
        said = _check(path, document)
        waits = f"well, but it waits: {document['waits']}" if document["waits"] else "well"
        (wrong if said else well).append(f"{name}: {said or waits}")
    return well, wrong


def main() -> int:
    """Print it; the exit code."""
    try:
        well, wrong = check()
    except OSError as error:
        well, wrong = [], [str(error)]
    if not well and not wrong:
        wrong = [f"No role of flow-atom runs here, going by {directory()}"]
    print("\n".join([*wrong, *well]))  # noqa: T201 (a program that may import nothing)
    return 1 if wrong else 0


def _check(path: Path, document: dict[str, Any]) -> str:
    if "port" in document:
        return _ask(document)
    age = time.time() - path.stat().st_mtime
    if age > document["within_seconds"]:
        return f"it gave no sign of life for {age:.0f} s"
    return str(document["wrong"])


def _ask(document: dict[str, Any]) -> str:
    """Ask a role over HTTP; what is wrong with its answer, or nothing."""
    host, port = document["host"], document["port"]
    try:
        with _connect(host, port, document["tls"]) as connection:
            # Who shows no certificate learns of it when it reads; what it sent would go nowhere.
            if document["tls"] != "mutual":
                asked = f"GET {document['path']} HTTP/1.0\r\nHost: localhost\r\n\r\n"
                connection.sendall(asked.encode())
            head = connection.recv(64)
    except OSError as error:  # an SSLError is one as well
        if document["tls"] == "mutual" and "CERTIFICATE_REQUIRED" in str(error):
            return ""  # it answers, so it lives
        return f"{host}:{port} does not answer: {error}"
    if not head.startswith((b"HTTP/1.1 200 ", b"HTTP/1.0 200 ")):
        return f"{host}:{port} answers {head[:32]!r}"
    return ""


def _connect(host: str, port: int, tls: str) -> socket.socket:
    """It is asked on its own machine, whatever name its certificate is for."""
    plain = socket.create_connection((host, port), _ANSWER_SECONDS)
    if not tls:
        return plain
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(plain)


def _make_directory() -> None:
    """Make it for this user alone; one that somebody else made there is not used.

    Raises:
        OSError: it cannot be made, or is not ours.
    """
    with suppress(FileExistsError):
        directory().mkdir(mode=0o700, parents=True)
    if not _is_ours():
        raise PermissionError(f"{directory()} is not this user's own directory")


def _is_ours() -> bool:
    try:
        found = directory().lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()


def _notes() -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted(directory().glob("*.json")) if _is_ours() else ():
        with suppress(OSError, ValueError):  # it has just been forgotten
            yield path, json.loads(path.read_text())


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
