"""The inbox: what waits for a person, and many of them done at once."""

import pytest

from atom.catalog import Catalog
from atom.console import Users, create_app, inbox
from atom.records import CallbackState, State
from atom.settings import Settings
from atom.store.session_store import SessionStore
from tests.support.browser import Browser
from tests.support.console import NASTY, ConsoleAtom
from tests.support.executions import an_attempt, new_execution
from tests.support.waiting import until


@pytest.fixture(scope="module")
def atom(tmp_path_factory):
    """A console over a store: nobody else changes what is in it."""
    atom = ConsoleAtom(tmp_path_factory.mktemp("inbox"))
    try:
        yield atom
    finally:
        atom.close()


@pytest.fixture(scope="module")
def url(atom):
    return atom.start_console()


@pytest.fixture
def browser(atom, url):
    yield Browser(url)
    for each in [*atom.store.failed(10_000), *atom.store.parked(10_000)]:
        atom.store.dismiss(getattr(each, "execution_id", None) or each.id)


def finish(
    atom,
    state=State.FAILED,
    error="the database is away",
    verdict="delivered",
    answer="SUCCESS",
    **options,
):
    new = new_execution(**options)
    atom.store.accept(new)
    claim = atom.store.claim(new.id, "w", "1")
    atom.store.finish(claim, state, b'{"invokeType":"FORWARD"}', error)
    delivery = atom.store.claim_delivery(new.id)
    atom.store.record_delivery(delivery, verdict, an_attempt(answer))
    return new.id


def park(atom, **options):
    return finish(atom, State.COMPLETED, "", "parked", "NOT_ALLOWED", **options)


def press(browser, action, *chosen, **fields):
    form = [("form", browser.get("/executions").form_token), ("action", action)]
    answer = browser.post("/inbox", [*form, *(("id", each) for each in chosen), *fields.items()])
    assert answer.status == 303
    return answer.headers["Location"]


def job_ends(browser, sentence):
    def look():
        text = " ".join(browser.get("/inbox").text.split())
        return text if sentence in text and "ended at" in text else None

    return until(look, sentence)


def test_why_since_when_and_how_many(atom, browser):
    assert "Nothing waits for a person." in browser.get("/inbox").text
    ids = [finish(atom, service="CRM", action="Retrieve") for _ in range(3)]
    other = park(atom, service="Shop", action="Order")
    text = browser.get("/inbox").text
    assert "4 wait" in text
    assert "the database is away" in text
    assert "NOT_ALLOWED" in text
    assert "flow.boomi.com" in text
    only = browser.get("/inbox?kind=failed&process=CRM.Retrieve&why=the+database+is+away").text
    assert all(f'value="{each}"' in only for each in ids)
    assert other not in only
    assert other in browser.get("/inbox?kind=parked").text


def test_those_that_are_chosen(atom, browser):
    one, two, stays = finish(atom), finish(atom), finish(atom)
    press(browser, "retry", one, two)
    job_ends(browser, "Retrying: 2 of 2")
    assert [atom.store.get(each).state for each in (one, two, stays)] == [
        *(State.ACCEPTED, State.ACCEPTED, State.FAILED)
    ]
    press(browser, "dismiss", stays)
    job_ends(browser, "Dismissing: 1 of 1")
    assert "Nothing waits for a person." in browser.get("/inbox").text


def test_all_that_match_however_many(atom, browser):
    ids = [park(atom, service="Shop", action="Order") for _ in range(250)]
    stays = park(atom, service="CRM", action="Retrieve")
    assert "The first 200 are shown." in browser.get("/inbox").text
    press(browser, "replay", all="yes", process="Shop.Order")
    job_ends(browser, "Sending again: 250 of 250")
    states = {atom.store.get(each).callback_state for each in ids}
    assert states == {CallbackState.DUE}
    assert atom.store.get(stays).callback_state is CallbackState.PARKED


def test_a_long_inbox_is_read_in_part_and_says_so(atom, browser, monkeypatch):
    monkeypatch.setattr(inbox, "_COUNTED", 2)
    users = Users(list, is_on_loopback=True)
    sessions = SessionStore(Settings())
    app = create_app(
        Settings(), Catalog([]), atom.store, lambda queue: 0, users, sessions, b"secret"
    )
    kept = [park(atom) for _ in range(3)]
    text = app.test_client().get("/inbox").text
    assert "2 wait, of the first 2 of each kind" in text
    assert [each in text for each in kept] == [True, True, False]


def test_what_cannot_be_done_is_said_and_nothing_chosen_too(atom, browser):
    failed = finish(atom)
    press(browser, "replay", failed, "nothing")
    text = job_ends(browser, "Sending again: 2 of 2")
    assert "refused: its flow took the callback" in text
    assert "None is chosen." in browser.get(press(browser, "dismiss")).text
    form = {"form": browser.get("/executions").form_token}
    assert browser.post("/inbox", {**form, "action": "explode", "id": failed}).status == 400
    assert browser.post("/inbox", {"action": "dismiss", "id": failed}).status == 403


def test_who_watches_a_job_hears_that_the_console_was_started_anew(atom, browser):
    press(browser, "dismiss", finish(atom))
    job_ends(browser, "Dismissing: 1 of 1")
    assert "started anew" not in browser.get("/inbox?watching=yes").text
    anew = Browser(atom.start_console("anew"))
    assert "What it did stays done" in anew.get("/inbox?watching=yes").text
    assert "What it did stays done" not in anew.get("/inbox").text


def test_what_others_wrote_stays_text(atom, browser):
    finish(atom, error=NASTY, service=NASTY, action=NASTY)
    assert "<script>alert" not in browser.get("/inbox").text


def test_a_viewer_looks_and_is_refused(atom, url, browser):
    failed = finish(atom)
    with atom.user("vera", "--role", "viewer") as token:
        until(lambda: browser.get("/").status == 303, "the console asks who comes")
        viewer = Browser(url)
        assert viewer.log_in("vera", token).status == 303
        page = viewer.get("/inbox")
        assert failed in page.text
        assert "<button name" not in page.text
        form = {"form": page.form_token, "action": "dismiss", "id": failed}
        assert viewer.post("/inbox", form).status == 403
        assert viewer.post("/inbox/stop", {"form": page.form_token}).status == 403
    assert atom.store.failed(10)
