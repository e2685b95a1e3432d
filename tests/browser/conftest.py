"""A whole Atom, its console, and a Chromium that walks through it."""

import os
import shutil

import pytest
from playwright.sync_api import sync_playwright

from tests.support.console import ConsoleAtom

SERVICES = (
    "examples.orders,examples.contacts,examples.documents,tests.support.services,"
    "tests.support.lasting"
)


def chromium():
    """Where the system's own is; CI has to have one."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if not found and not os.environ.get("CI"):
        pytest.skip("needs a Chromium: apt-get install chromium")
    assert found, "no chromium on PATH"
    return found


@pytest.fixture(scope="session")
def atom(tmp_path_factory):
    directory = tmp_path_factory.mktemp("browser")
    database = {"ORDERS_DATABASE": str(directory / "orders.sqlite3")}
    database["CONTACTS_DATABASE"] = f"sqlite:///{directory}/contacts.sqlite3"
    documents = str(directory / "documents")
    atom = ConsoleAtom(
        directory, SERVICES, ATOM_PROGRESS_SECONDS="0.1", DOCUMENTS_FOLDER=documents, **database
    )
    try:
        atom.start_all(["--pool=threads", "--concurrency=8"])
        yield atom
    finally:
        atom.close()


@pytest.fixture(scope="session")
def url(atom):
    """Of a console that asks for no login."""
    return atom.start_console(ATOM_SANDBOX_URL=atom.sandbox.url, ATOM_PUBLIC_URL=atom.url)


# Of the package: while playwright is there, its event loop runs in this thread.
@pytest.fixture(scope="package")
def browser():
    with sync_playwright() as playwright:
        # In a container its own sandbox has no rights to be made with, and /dev/shm is small.
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        launched = playwright.chromium.launch(executable_path=chromium(), args=arguments)
        yield launched
        launched.close()


@pytest.fixture
def page(browser, url, tmp_path, request):
    """A page on which nothing may go wrong that a person would not see."""
    context = browser.new_context(base_url=url)
    context.set_default_timeout(60_000)
    page, wrong = context.new_page(), []
    page.on("dialog", lambda dialog: (wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
    page.wrong = wrong
    yield page
    if request.node.stash.get(FAILED, False):
        page.screenshot(path=tmp_path / "page.png", full_page=True)
        (tmp_path / "page.html").write_text(page.content())
        request.node.add_report_section("call", "browser", f"{tmp_path}/page.png, page.html")
    context.close()
    assert wrong == []


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report
