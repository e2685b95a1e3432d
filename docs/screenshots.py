"""Takes the pictures of docs/images: `make screenshots`. Needs a Chromium."""

import shutil
import tempfile
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, sync_playwright

from tests.support.console import ConsoleAtom, a_parked_one

IMAGES: Final = Path(__file__).parent / "images"
_SERVICES: Final = "examples.orders,examples.contacts,examples.documents,tests.support.services"
_WIDTHS: Final = {"wide": 1200, "narrow": 400}
_TALLEST: Final = 1400  # a picture is no whole page
_ORDER: Final = {
    "Order Number": "A-1042",
    "Customer": {"Name": "Ada Lovelace", "Email": "ada@example.com"},
    "Lines": [{"Sku": "LAMP-1", "Quantity": 1}, {"Sku": "CABLE-9", "Quantity": 2}],
}


def main() -> None:
    """Make every picture anew."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        database = {"ORDERS_DATABASE": f"{directory}/orders.sqlite3"}
        database["CONTACTS_DATABASE"] = f"sqlite:///{directory}/contacts.sqlite3"
        atom = ConsoleAtom(Path(directory), _SERVICES, ATOM_PROGRESS_SECONDS="0.1", **database)
        try:
            atom.start_all(["--pool=threads", "--concurrency=8"])
            url = atom.start_console(
                ATOM_SANDBOX_URL=atom.sandbox.url, ATOM_PUBLIC_URL="https://atom.example.com"
            )
            pages = _fill(atom)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=shutil.which("chromium"), args=["--no-sandbox"]
                )
                for theme in ("light", "dark"):
                    for size, width in _WIDTHS.items():
                        _take(browser, url, pages, theme, size, width)
                browser.close()
        finally:
            atom.close()


def _fill(atom: ConsoleAtom) -> dict[str, str]:
    """Something on every page; the path of each, by the name of its picture."""
    orders, contacts = f"{atom.url}/fs/Orders", f"{atom.url}/fs/Contacts"
    flow = atom.platform.run(orders, "Fulfil", _ORDER)
    for sku in ("NOPE", "LAMP-1"):
        wrong = {**_ORDER, "Lines": [{"Sku": sku, "Quantity": 100}]}
        atom.platform.run(orders, "Fulfil", wrong).wait_over(60)
    atom.platform.run(
        contacts, "Import", {"CSV": "Name,Phone,Email\nGrace,1906,grace@example.com\n"}
    ).wait_over(60)
    for action in ("Break", "Break", "No", "Progress"):
        atom.run(action).wait_over(60)
    a_parked_one(atom)
    flow.wait_over(60)
    atom.platform.install(f"{atom.url}/fs/Documents")
    atom.run("Sync", {"Seconds": 300})
    return {
        "overview": "/",
        "inbox": "/inbox",
        "executions": "/executions",
        "execution": f"/executions/{atom.execution_of(flow).id}",
        "services": "/services",
        "service": "/services/Contacts",
        "try": "/try",
        "try-service": f"/try/service?url={contacts}",
        "try-action": f"/try/action?url={orders}&action=Fulfil",
        "try-flow": f"/try/flows/{flow.id}",
        "try-data": f"/try/data?url={contacts}&type=Contact",
        "try-files": f"/try/files?url={atom.url}/fs/Documents&path=/file",
        "login": "/login",
    }


def _take(
    browser: Browser, url: str, pages: dict[str, str], theme: str, size: str, width: int
) -> None:
    context = browser.new_context(
        base_url=url,
        color_scheme="dark" if theme == "dark" else "light",
        viewport={"width": width, "height": 800},
    )
    page = context.new_page()
    for name, path in pages.items():
        page.goto(path)
        height = min(int(page.evaluate("document.documentElement.scrollHeight")), _TALLEST)
        page.screenshot(
            path=IMAGES / f"{name}-{theme}-{size}.png",
            full_page=True,
            clip={"x": 0, "y": 0, "width": width, "height": height},
        )
    context.close()


if __name__ == "__main__":
    main()
