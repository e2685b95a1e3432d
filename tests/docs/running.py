"""A folder with every file that the pages give, and an Atom that serves them."""

import json
from pathlib import Path

from atom.records import CallbackState
from atom.sandbox import Answer
from tests.docs.pages import ROOT, files_of_the_pages
from tests.support.roles import TestAtom
from tests.support.waiting import until

# What the pages name as given: a document to make a profile from.
_SAMPLE = {"Name": "Ada", "Amount": 12.5, "Lines": [{"Sku": "A-1", "Count": 2}]}
_SCHEMA = {"type": "object", "properties": {"Name": {"type": "string"}}, "required": ["Name"]}


def make_site(directory: Path) -> Path:
    """Write the files of all pages into one folder, as a reader does."""
    for name, text in files_of_the_pages().items():
        (directory / name).write_text(text, encoding="utf-8")
    (directory / "sample.json").write_text(json.dumps(_SAMPLE))
    (directory / "schema.json").write_text(json.dumps(_SCHEMA))
    return directory


class Site:
    """That folder, and an Atom over the services in it; close it."""

    def __init__(self, directory: Path, logs: Path) -> None:
        self.directory = make_site(directory)
        texts = files_of_the_pages()
        own = [name.removesuffix(".py") for name, text in texts.items() if "FlowService(" in text]
        services = [*own, "examples.orders", "tests.support.services"]
        self.atom = TestAtom(
            logs,
            ",".join(services),
            PYTHONPATH=f"{ROOT}:{directory}",
            ATOM_CALLBACK_HOURS="1",
        )
        self.environment = {
            **self.atom.environment,
            "ATOM_SANDBOX_BIND": self.atom.sandbox.url.removeprefix("http://"),
        }

    def start(self) -> None:
        self.atom.start_all(["--pool=threads", "--concurrency=20"])

    def redis_url(self, *, database: int) -> str:
        return f"{self.atom.redis.url.rpartition('/')[0]}/{database}"

    def reachable(self, url: str) -> str:
        """The URL of a page, whose ports are the defaults, as it is reached here."""
        for host in ("127.0.0.1:8077", "atom.example.com"):
            for scheme in ("http", "https"):
                url = url.replace(f"{scheme}://{host}", self.atom.url)
        return url.replace("http://127.0.0.1:8079", self.atom.sandbox.url)

    def id_for(self, command: str) -> str:
        """An execution that the command has something to do with."""
        atom = self.atom
        if command in ("executions cancel", "executions signal"):
            return atom.execution_of(atom.run("Sync", {"Seconds": 30})).id
        if command == "callbacks replay":
            flow = atom.platform.prepare(f"{atom.url}/fs/Trial", [("No", {})])
            # Of this flow alone: what the page did before may still be on its way.
            refused = Answer("NOT_ALLOWED")
            atom.platform.misbehave(lambda token: refused if token in flow.calls else None)
            atom.platform.send(flow)
            until(
                lambda: atom.execution_of(flow).callback_state is CallbackState.PARKED,
                "a parked callback",
            )
            atom.platform.misbehave(lambda _: None)
            return atom.execution_of(flow).id
        flow = atom.run("Break")
        assert flow.wait_over(120).is_over
        until(
            lambda: atom.execution_of(flow).callback_state is CallbackState.DELIVERED,
            "a delivered callback",
        )
        return atom.execution_of(flow).id
