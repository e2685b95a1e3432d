"""The second half of `make demo`: database and file elements, as a flow sends them."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console

from atom.cli.flow_view import plain, show_flow
from atom.sandbox import Connector, Platform, SandboxClient

FLOW_SECONDS = 120.0

PEOPLE: list[tuple[str | None, Mapping[str, Any]]] = [
    (None, {"Name": "Ada Lovelace", "Phone": "9703180975", "Email": "ada@example.com"}),
    (None, {"Name": "Charles Babbage", "Phone": "9703180976", "Email": "charles@example.com"}),
]
BY_PHONE = {
    "where": [{"columnName": "Phone", "criteriaType": "EQUAL", "contentValue": "9703180975"}],
    "limit": 10,
}
MORE_PEOPLE = (
    "Name,Phone,Email\n"
    "Grace Hopper,9703180977,grace@example.com\n"
    "Ada again,9703180978,ada@example.com\n"
)
LETTER = b"Dear Ada,\nthe engine works.\nCharles\n"


def show_contacts(console: Console, client: SandboxClient, listener_url: str) -> bool:
    """A database element: save, load, delete; then the long import of a CSV text."""
    url = f"{listener_url}/fs/Contacts"
    with _connected(url, {"region": "EMEA"}) as contacts:
        saved = contacts.save("Contact", PEOPLE)
        _tell(console, "saved", saved)
        found = contacts.query("Contact", BY_PHONE)["objectData"]
        _tell(console, "found by phone", found)
        contacts.delete("Contact", [saved[1]["externalId"]])
        is_gone = contacts.get("Contact", saved[1]["externalId"]) is None
        _tell(console, "deleted", saved[1:])
    imported = show_flow(
        console, client, url, "Import", {"CSV": MORE_PEOPLE}, timeout_seconds=FLOW_SECONDS
    )
    return is_gone and len(found) == 1 and imported


def show_documents(console: Console, client: SandboxClient, listener_url: str) -> bool:
    """A file element: upload and list; then a process that reads what was uploaded."""
    url = f"{listener_url}/fs/Documents"
    with _connected(url, {}) as documents:
        uploaded = documents.upload("/file", "letter.txt", LETTER, "text/plain")
        _tell(console, "uploaded", [uploaded])
        listed = documents.files("/file")["objectData"]
        _tell(console, "listed", listed)
    counted = show_flow(
        console,
        client,
        url,
        "Count",
        {"File Id": uploaded["externalId"]},
        timeout_seconds=FLOW_SECONDS,
    )
    return len(listed) == 1 and counted


@contextlib.contextmanager
def _connected(url: str, configuration: Mapping[str, str]) -> Iterator[Connector]:
    """The service's connector, installed and configured as on a flow platform."""
    platform = Platform()
    platform.configure(url, configuration)
    connector = Connector(platform, url)
    try:
        yield connector
    finally:
        connector.close()
        platform.close()


def _tell(console: Console, what: str, objects: list[dict[str, Any]]) -> None:
    for each in objects:
        shown = {name: value for name, value in plain(each["properties"]).items() if value}
        console.print(f"  [bold]{what}[/] ", end="")
        console.print(", ".join(f"{name}: {value}" for name, value in shown.items()), markup=False)
