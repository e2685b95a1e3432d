"""A real PostgreSQL server of the tests' own, reached by a socket in its directory."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from sqlalchemy import create_engine, text

from tests.support.waiting import until


@cache
def programs():
    """Where its programs are: on PATH, or where Debian has the newest; None where it is not."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return places[-1].parent if places else None


class PostgresServer:
    """Sorts texts as people do: what has to be in the order of bytes has to say so."""

    def __init__(self):
        self._directory = tempfile.TemporaryDirectory(prefix="atom-postgres-")
        self._path = Path(self._directory.name)
        self._as_user = []
        if os.geteuid() == 0:  # which it refuses to run as
            user = next(each for each in ("postgres", "nobody") if _exists(each))
            entry = pwd.getpwnam(user)
            os.chown(self._path, entry.pw_uid, entry.pw_gid)
            ids = [f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]
            self._as_user = ["setpriv", *ids]
        self._run(
            *("initdb", "--username=atom", "--auth=trust", "--no-sync", "--encoding=UTF8"),
            *("--locale=C", "--locale-provider=icu", "--icu-locale=en-US"),
            *("-D", str(self._path / "data")),
        )
        self._server = None
        self.start()

    @property
    def url(self):
        return f"postgresql://atom@/postgres?host={self._path}"

    def start(self):
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": self._path,
            "fsync": "off",
            "max_connections": "50",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command = [*self._as_user, str(programs() / "postgres"), "-D", str(self._path / "data")]
        with (self._path / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [*command, *options], cwd=self._path, stdout=log, stderr=log
            )
        until(self._answers, "PostgreSQL to answer", 60)

    def stop(self):
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)  # its fast shutdown
            assert self._server.wait(60) == 0, (self._path / "log").read_text()
            self._server = None

    def close(self):
        self.stop()
        self._directory.cleanup()

    def clear(self):
        """Leave nothing of an earlier test."""
        self.execute("drop schema public cascade; create schema public")

    def execute(self, statement):
        engine = create_engine(self.url.replace("postgresql:", "postgresql+psycopg:"))
        with engine.begin() as connection:
            connection.execute(text(statement))
        engine.dispose()

    def _answers(self):
        assert self._server.poll() is None, (self._path / "log").read_text()
        ready = subprocess.run(
            [str(programs() / "pg_isready"), "-h", str(self._path), "-q"], check=False
        )
        return ready.returncode == 0

    def _run(self, program, *arguments):
        command = [*self._as_user, str(programs() / program), *arguments]
        done = subprocess.run(command, cwd=self._path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def _exists(user):
    try:
        return bool(pwd.getpwnam(user))
    except KeyError:
        return False
