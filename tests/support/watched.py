"""An Atom each of whose roles answers scrapes."""

from pathlib import Path

from atom.names import CALLBACKS, PROCESSES, RECOVERY
from tests.support.ports import free_port
from tests.support.roles import TestAtom
from tests.support.scraping import scrape
from tests.support.waiting import until

ROLES = {
    "worker": ("worker", f"--queues={PROCESSES}", "--concurrency=2"),
    "callbacks": ("worker", f"--queues={CALLBACKS}"),
    "recovery": ("recovery",),
}


class Watched:
    """An Atom each of whose roles answers scrapes."""

    def __init__(self, directory):
        temporary = directory / "temporary"
        temporary.mkdir()
        self.temporary = temporary
        self.atom = TestAtom(directory, TMPDIR=str(temporary), ATOM_SYNC_SECONDS="5")
        self.urls = {"listener": self.atom.url}
        self.atom.start("listener", "listener")
        for name in ROLES:
            self.start(name)
        for queue in (PROCESSES, CALLBACKS, RECOVERY):
            until(lambda queue=queue: self.atom.store.present(queue), f"a worker for {queue}", 60)
        self.atom.wait_for_listener(self.atom.url)
        for name in ROLES:  # which may be at work before they answer
            self.atom.wait_for_listener(self.urls[name], "/metrics")

    def start(self, name):
        bind = f"127.0.0.1:{free_port()}"
        self.urls[name] = f"http://{bind}"
        self.atom.start(name, *ROLES[name], ATOM_METRICS_BIND=bind)

    def scrape(self, name):
        return scrape(self.urls[name])

    def until(self, name, metric, value, **labels):
        """Wait for the sum of a metric to be right; it may never be more."""

        def look():
            found = self.scrape(name).sum(metric, **labels)
            assert found <= value
            return found == value

        until(look, f"{metric} {labels} of {value}", 60)

    def directories(self):
        """Where the roles' processes write what they measured."""
        return set(self.temporary.glob("atom-metrics-*"))

    def children(self, name):
        pid = self.atom.processes[name].pid
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(each) for each in found.split()]
