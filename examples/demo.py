"""`make demo`: starts a whole Atom, runs flows through it and shows what happens.

Everything lives in a temporary directory and is gone at the end.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from atom.cli import running
from atom.cli.flow_view import show_flow
from atom.errors import AtomError, StartupError
from atom.sandbox import SandboxClient
from examples.demo_objects import show_contacts, show_documents

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 90.0
FLOW_SECONDS = 120.0

ORDER = {
    "Order Number": "A-1001",
    "Customer": {"Name": "Ada Lovelace", "Email": "ada@example.com"},
    "Lines": [
        {"Sku": "LAMP-1", "Quantity": 2, "Gift Wrap": True},
        {"Sku": "CHAIR-7", "Quantity": 1},
        {"Sku": "CABLE-9", "Quantity": 5},
    ],
    "Express": True,
    "Ship By": "2030-01-31T00:00:00.0000000+01:00",
}
TOO_LARGE = {
    "Order Number": "A-1002",
    "Customer": {"Name": "Charles Babbage"},
    "Lines": [{"Sku": "DESK-3", "Quantity": 9}],
}


def main() -> int:
    """Run the demo; 0 where everything went as it should."""
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="atom-demo-") as directory:
        try:
            with whole_atom(console, Path(directory)) as here:
                return show(console, here)
        except AtomError as error:
            console.print(f"[bold red]The demo stopped:[/] {error}", markup=True)
            return 1
        except KeyboardInterrupt:
            return 130


@contextlib.contextmanager
def whole_atom(console: Console, directory: Path) -> Iterator[running.Running]:
    """`atom up` on free ports, its output in a file."""
    environment = {
        **os.environ,
        "ATOM_SERVICES": "examples.orders,examples.contacts,examples.documents",
        "CONTACTS_DATABASE": f"sqlite:///{directory / 'contacts.sqlite3'}",
        "DOCUMENTS_FOLDER": str(directory / "documents"),
        "ATOM_BIND": "127.0.0.1:0",
        "ATOM_SANDBOX_BIND": "127.0.0.1:0",
        # So that each message is seen; a real player asks about every 10 s.
        "ATOM_PROGRESS_SECONDS": "0.1",
        "PYTHONPATH": str(ROOT),
    }
    environment.pop("ATOM_REDIS_URL", None)
    log = directory / "atom.log"
    with log.open("w") as output:
        atom = subprocess.Popen(
            [sys.executable, "-m", "atom", "up"],
            cwd=directory,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        with console.status("Starting Redis, listener, workers, recovery and sandbox …"):
            here = wait_until_up(atom, directory, log)
        console.print(
            f"[bold]A whole Atom is up[/]: listener {here.listener_url}, sandbox "
            f"{here.sandbox_url} (in place of the flow platform), Redis, workers, recovery."
        )
        yield here
    finally:
        atom.send_signal(signal.SIGTERM)
        atom.wait()
    console.print("[bold]Everything has ended[/]; nothing is left running.")


def wait_until_up(atom: subprocess.Popen[bytes], directory: Path, log: Path) -> running.Running:
    """Where it is, as soon as it is."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        here = running.find(directory / running.DIRECTORY)
        if here is not None:
            return here
        if atom.poll() is not None:
            break
        time.sleep(0.05)
    lines = log.read_text(errors="replace").strip().splitlines()
    raise StartupError(lines[-1].removeprefix("atom: ") if lines else "The Atom did not start.")


def show(console: Console, here: running.Running) -> int:
    """Two flows with a message element, then database elements, then file elements."""
    client = SandboxClient(here.sandbox_url)
    service = f"{here.listener_url}/fs/Orders"
    try:
        console.rule("[bold]1[/] A flow orders, waits and resumes", align="left")
        fulfilled = show_flow(
            console, client, service, "Fulfil", ORDER, timeout_seconds=FLOW_SECONDS
        )
        console.rule("[bold]2[/] A flow orders more than there is", align="left")
        impossible = show_flow(
            console, client, service, "Fulfil", TOO_LARGE, timeout_seconds=FLOW_SECONDS
        )
        console.rule("[bold]3[/] A flow saves, loads, deletes and imports contacts", align="left")
        kept = show_contacts(console, client, here.listener_url)
        console.rule("[bold]4[/] A flow uploads a document, and has it read", align="left")
        read = show_documents(console, client, here.listener_url)
    finally:
        client.close()
    if not fulfilled or impossible:
        raise AtomError("The first flow should have resumed with outputs, the second with a fault.")
    if not kept or not read:
        raise AtomError("The contacts or the document are not what they should be.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
