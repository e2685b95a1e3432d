"""A service whose processes themselves witness how many of them run, and a run of it under kills.

`python -m tests.support.places 10000` makes so many starts, and says what it saw.
"""

import fcntl
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import orjson

from atom import FlowService, Profile, fields
from atom.catalog import Catalog
from atom.execution.operating import cancel
from atom.history import ExecutionFilter
from atom.publisher import Publisher
from atom.records import State
from tests.support.executions import new_execution
from tests.support.roles import TestAtom

PLACES = 3

places = FlowService("Places", summary="Says what runs beside it", version="1")


class Held(Profile):
    folder = fields.String(data_key="Folder", required=True)


class Noted(Profile):
    file = fields.String(data_key="File", required=True)
    name = fields.String(data_key="Name", required=True)
    gate = fields.String(data_key="Gate", required=True)


def _append(path, text):
    with open(path, "a") as lines:
        lines.write(f"{text}\n")


@places.message_action("Hold", request=Held, max_concurrency=PLACES, timeout=86_400)
def hold(request, execution):
    """Take one of as many locks as there are places: the kernel lets go of those of the dead."""
    folder = Path(request["folder"])
    for number in range(PLACES):
        with (folder / f"lock-{number}").open("w") as lock, suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _append(folder / "starts", execution.id)
            time.sleep(random.uniform(0, 0.02))
            return
    _append(folder / "exceeded", execution.id)


def _note(request, execution):
    """Note the start, and wait at the gate of this execution."""
    _append(request["file"], request["name"])
    while not os.path.exists(request["gate"]):
        time.sleep(0.01)


places.message_action("Note", request=Noted)(_note)
places.message_action("Note alone", request=Noted, max_concurrency=1)(_note)


class Ordeal:
    """Workers that are killed while they make so many starts of a limited process."""

    def __init__(self, atom, folder, starts):
        self._atom, self._folder, self._wanted = atom, folder, starts
        self._publisher = Publisher(atom.redis.url)
        self._rng = random.Random(1)
        self.kills = self.cancelled = 0

    def run(self):
        """Go through it; what is left of it is read by the properties."""
        atom = self._atom
        atom.start("recovery", "recovery")
        for number in (1, 2):
            self._start_worker(number)
        (self._folder / "starts").touch()
        while self.starts < self._wanted:
            queue = self._atom.store.overview().queues.get("processes")
            for number in range(200 - (queue.waiting if queue else 0)):
                self._accept(f"tenant-{number % 5}")
            self._break_something()
            time.sleep(1)

    def _accept(self, tenant):
        folder = {
            "developerName": "Folder",
            "contentType": "ContentString",
            "contentValue": str(self._folder),
        }
        document = {
            "tenantId": tenant,
            "token": "token",
            "callbackUri": "https://flow.boomi.com/api/run/1/response",
            "inputs": [folder],
        }
        new = new_execution(
            service="Places",
            action="Hold",
            tenant_id=tenant,
            token="",
            callback_uri="",
            request=orjson.dumps(document),
            timeout_seconds=86_400,
            sync_timeout_seconds=86_400,
            is_synchronous=True,
        )
        if self._atom.store.accept(new).is_out:
            self._publisher.publish("Places.Hold", new.id, "processes")

    def _start_worker(self, number):
        self._atom.start(
            f"worker-{number}", "worker", "--queues=processes", f"--concurrency={PLACES}"
        )

    def _break_something(self):
        name = self._rng.choice(["worker-1", "worker-2"])
        match self._rng.randrange(12):
            case 0:
                self._atom.kill(name)
            case 1:
                self._atom.kill_main(name)
            case 2 | 3 | 4:
                self._cancel_what_runs()
                return
            case _:
                children = _children(self._atom.processes[name].pid)
                for pid in children[: self._rng.randint(1, 2)]:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                        self.kills += 1
                return
        self.kills += 1
        self._start_worker(name[-1])

    def _cancel_what_runs(self):
        running = ExecutionFilter(state=State.RUNNING)
        for each in self._atom.store.find(PLACES, running).executions:
            self.cancelled += cancel(Catalog([]), self._atom.store, each.id).is_done

    @property
    def starts(self):
        """How often the process began, and had a lock."""
        return len((self._folder / "starts").read_text().splitlines())

    @property
    def exceeded(self):
        """How often it began, and all locks were taken."""
        path = self._folder / "exceeded"
        return len(path.read_text().splitlines()) if path.exists() else 0


def _children(pid):
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(each) for each in found.stdout.split()]


def main():
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        atom = TestAtom(directory, "tests.support.places", **ENVIRONMENT)
        begun = time.monotonic()
        try:
            ordeal = Ordeal(atom, directory, int(sys.argv[1]))
            ordeal.run()
        finally:
            atom.close()
        sys.stdout.write(
            f"{ordeal.starts} starts in {time.monotonic() - begun:.0f} s, {ordeal.kills} kills, "
            f"{ordeal.cancelled} cancelled while they ran: more than {PLACES} at a time "
            f"{ordeal.exceeded} times\n"
        )
        sys.exit(1 if ordeal.exceeded else 0)


# As long a lease as there is by default: one that runs out while its process runs on is no question
# of places. What dies with a message in its hands is soon noticed.
ENVIRONMENT = {
    "ATOM_LEASE_SECONDS": "10",
    "ATOM_MAX_ATTEMPTS": "1000",
    "ATOM_REPUBLISH_SECONDS": "1",
}

if __name__ == "__main__":
    main()
