"""Flower under the console's own address, in a browser and without one."""

import pytest
from playwright.sync_api import expect

from tests.support.browser import Browser
from tests.support.console import ConsoleAtom
from tests.support.ports import free_port
from tests.support.waiting import until

ROWS = "/flower/tasks/datatable"  # of its list of tasks


@pytest.fixture(scope="module")
def atom(tmp_path_factory):
    atom = ConsoleAtom(tmp_path_factory.mktemp("flower"))
    atom.environment |= {
        "ATOM_FLOWER_BIND": f"127.0.0.1:{free_port()}",
        "ATOM_FLOWER_PREFIX": "/flower",
        "ATOM_FLOWER_USERNAME": "watcher",
        "ATOM_FLOWER_PASSWORD": "canary-of-flower",
    }
    try:
        atom.start("worker", "worker", "--queues=processes", "--pool=threads")
        yield atom
    finally:
        atom.close()


@pytest.fixture(scope="module")
def url(atom):
    flower = f"http://{atom.environment['ATOM_FLOWER_BIND']}"
    return atom.start_console(ATOM_FLOWER_URL=flower, ATOM_FLOWER_LINK="")


@pytest.fixture
def flower(atom, url):
    """Flower itself, from here on."""
    if "flower" not in atom.processes:
        atom.start("flower", "flower")
    until(lambda: Browser(url).get("/flower/").status == 200, "Flower", 60)


def test_while_it_is_away_it_is_said(url):
    page = Browser(url).get("/flower/")
    assert page.status == 502
    assert "Flower does not answer" in page.text
    assert 'href="/flower"' in Browser(url).get("/").text


@pytest.mark.usefixtures("flower")
def test_its_pages_work_below_ours(page, url):
    rows = "/flower/workers?json=1"
    until(lambda: "processes" in Browser(url).get(rows).text, "Flower to know of the worker", 60)
    page.goto("/")
    page.get_by_role("link", name="The Celery tasks in Flower").click()
    expect(page.get_by_text("Online").first).to_be_visible()
    with page.expect_response(f"**{ROWS}") as listed:
        page.get_by_role("link", name="Tasks").click()
    assert listed.value.status == 200
    expect(page.get_by_role("columnheader", name="UUID").first).to_be_visible()


@pytest.mark.usefixtures("flower")
def test_its_login_is_made_by_the_console_and_never_shown(atom, url):
    browser = Browser(url)
    page = browser.get("/flower/")
    assert "canary" not in page.text
    assert "canary" not in str(page.headers)
    assert browser.get("/flower/nothing").status == 404
    assert b"canary" not in atom.log("console")
    form = browser.get("/executions").form_token
    assert browser.post("/flower/api/worker/shutdown/x", {"form": form}).status == 405
    rows = {"draw": "1", "start": "0", "length": "9", "order[0][column]": "0"}
    assert browser.post(ROWS, rows).status == 200
    assert browser.post(ROWS, rows, Origin="http://elsewhere.example").status == 403
    with atom.user("vera", "--role", "viewer") as token:
        until(lambda: browser.get("/flower/").status == 303, "the console asks who comes")
        assert browser.post(ROWS, rows).status == 303
        browser.log_in("vera", token)
        assert browser.post(ROWS, rows).status == 200
