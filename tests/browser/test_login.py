"""A console that asks who comes: an Atom of its own, for one that has had users stays closed."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from atom.records import State
from tests.support.console import ConsoleAtom
from tests.support.executions import new_execution
from tests.support.waiting import until


@pytest.fixture(scope="module")
def atom(tmp_path_factory):
    atom = ConsoleAtom(tmp_path_factory.mktemp("login"))
    try:
        yield atom
    finally:
        atom.close()


@pytest.fixture(scope="module")
def url(atom):
    return atom.start_console()


def a_failed_one(atom):
    new = new_execution()
    atom.store.accept(new)
    atom.store.finish(atom.store.claim(new.id, "w", "1"), State.FAILED, b"{}", "broken")
    return new.id


def test_log_in_as_viewer_and_be_refused_an_action(page, atom, url):
    execution_id = a_failed_one(atom)
    with atom.user("vera", "--role", "viewer") as token:
        until(lambda: "/login" in (page.goto("/"), page.url)[1], "the console asks who comes")
        assert Axe().run(page).response["violations"] == []
        page.get_by_label("Name").fill("vera")
        page.get_by_label("Token").fill(token)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_text("vera (viewer)")).to_be_visible()
        page.goto(f"/executions/{execution_id}")
        expect(page.get_by_text("Retry from the start")).to_have_count(0)
        # One who knows the address all the same is refused.
        form = page.get_by_role("button", name="Log out").locator("xpath=..")
        form.evaluate(
            "(form, path) => { form.action = path; }", f"/executions/{execution_id}/retry"
        )
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_text("Looking is all that a viewer may do")).to_be_visible()
        # Chromium notes the refusal, which is what was wanted.
        assert [each for each in page.wrong if "403" not in each] == []
        page.wrong.clear()
    assert atom.store.get(execution_id).attempts == 1
