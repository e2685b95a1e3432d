"""The list of executions: what it finds, what it keeps to itself, and its files."""

import csv
import io

import orjson
import pytest

from atom.records import State
from tests.support.browser import Browser
from tests.support.console import NASTY, ConsoleAtom, a_nasty_execution
from tests.support.executions import new_execution


@pytest.fixture(scope="module")
def atom(tmp_path_factory):
    """A console over a store, without anybody else."""
    atom = ConsoleAtom(tmp_path_factory.mktemp("executions"))
    try:
        yield atom
    finally:
        atom.close()


@pytest.fixture(scope="module")
def browser(atom):
    return Browser(atom.start_console())


def accept(atom, state=None, worker_version="1", **options):
    new = new_execution(**options)
    atom.store.accept(new)
    if state:
        claim = atom.store.claim(new.id, "w", worker_version)
        atom.store.finish(claim, state, b"{}", "why it failed")
    return new


def shown(page):
    """The ids of the rows."""
    return [part.partition('"')[0] for part in page.text.split('<tr id="execution-')[1:]]


@pytest.fixture(scope="module")
def some(atom):
    return {
        "waits": accept(atom, service="First", action="Item.get", tenant_id="one"),
        "failed": accept(
            *(atom, State.FAILED, "0.2"),
            service="First",
            action="Other",
            tenant_id="two",
            version="0.1",
        ),
        "done": accept(atom, State.COMPLETED, service="Second", action="Other", tenant_id="two"),
    }


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["done", "failed", "waits"]),
        ("state=failed", ["failed"]),
        ("service=First", ["failed", "waits"]),
        ("action=Other", ["done", "failed"]),
        ("action=Item.get&service=First", ["waits"]),
        ("tenant=two", ["done", "failed"]),
        ("tenant=two&service=First&state=failed", ["failed"]),
        ("version=0.1", ["failed"]),
        ("version=0.1&worker_version=0.2&state=failed", ["failed"]),
        ("version=0.2", []),
        ("worker_version=0.2", ["failed"]),
        ("worker_version=1&service=First", []),
        ("since=1h", ["done", "failed", "waits"]),
        ("until=1h", []),
        ("since=2026-01-01T00:00&until=2026-01-02", []),
        ("service=Third", []),
    ],
)
def test_each_filter_and_several_together(browser, some, query, names):
    page = browser.get(f"/executions?{query}")
    assert page.status == 200
    found = set(shown(page))
    assert {name for name, new in some.items() if new.id in found} == set(names)
    assert ("There are none of these." in page.text) == (names == [])


def test_each_state_is_counted_among_what_is_wanted(browser, some):
    text = " ".join(browser.get("/executions?tenant=two&state=failed").text.split())
    for state, count in (("any", 2), ("failed", 1), ("completed", 1), ("accepted", 0)):
        assert f"{state} <span>{count}</span>" in text
    # There is no index of both together, so no number either.
    assert "failed <span>" not in browser.get("/executions?tenant=two&service=First").text
    assert "failed <span>" not in browser.get("/executions?version=0.1").text


def test_both_versions_are_shown(browser, some):
    assert '<td class="lesser">0.1 → 0.2</td>' in browser.get("/executions?version=0.1").text
    text = " ".join(browser.get(f"/executions/{some['failed'].id}").text.split())
    assert "Accepted by version</dt><dd>0.1<" in text
    assert "Run by version</dt><dd>0.2<" in text


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("since=yesterday", "is neither a time such as 2026-01-31T08:00 nor a span such as 2h."),
        ("until=2026-13-01", "is neither a time such as"),
        ("state=nonsense", "is no state; there are accepted, running"),
    ],
)
def test_what_nobody_understands_is_said_and_kept_as_it_was_typed(browser, some, query, sentence):
    page = browser.get(f"/executions?{query}")
    assert page.status == 200
    assert sentence in page.text
    assert shown(page) == []
    name, _, value = query.partition("=")
    assert f'name="{name}" value="{value}"' in page.text
    assert browser.get(f"/executions.csv?{query}").status == 400


def test_what_somebody_has_in_hand_is_found_without_a_url_that_holds_it(atom, browser, some):
    new = some["waits"]
    token = browser.get("/executions").form_token
    for text in (new.id, new.state_id, new.token, f"  {new.token} "):
        found = browser.post("/executions", {"form": token, "text": text})
        assert (found.status, found.headers["Location"]) == (303, f"/executions/{new.id}")
    again = accept(atom, state_id=new.state_id)
    several = browser.post("/executions", {"form": token, "text": new.state_id[:9]})
    page = browser.get(several.headers["Location"])
    assert {new.id, again.id} <= set(shown(page))
    assert several.headers["Location"] == f"/executions?text={new.state_id[:9]}"
    nothing = browser.post("/executions", {"form": token, "text": NASTY})
    page = browser.get(nothing.headers["Location"]).text
    assert "No execution has that as its id, flow state or token." in page
    assert "script&gt;" not in page


def test_the_same_rows_again_and_how_many_are_newer(atom, browser):
    for _ in range(60):
        accept(atom, service="Live")
    page = browser.get("/executions?service=Live")
    again = page.text.partition('hx-get="')[2].partition('"')[0].replace("&amp;", "&")
    assert "newer: show" not in browser.get(again).text
    for _ in range(3):
        accept(atom, service="Live")
    accept(atom, service="Another")
    later = browser.get(again)
    assert shown(later) == shown(page)
    assert "3 newer: show" in later.text
    assert len(shown(browser.get("/executions?service=Live"))) == 50
    for _ in range(50):
        accept(atom, service="Live")
    assert "50+ newer: show" in browser.get(again).text
    # Further back nothing is live.
    older = page.text.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
    assert "hx-get" not in browser.get(older.replace("&amp;", "&")).text


def test_all_of_it_as_a_file(atom, browser, some):
    every = {accept(atom, service="Files").id for _ in range(1100)}
    reply = browser.get("/executions.csv?service=Files")
    assert reply.headers["Content-Disposition"] == 'attachment; filename="executions.csv"'
    rows = list(csv.DictReader(io.StringIO(reply.text)))
    assert (len(rows), {row["id"] for row in rows}) == (1100, every)
    reply = browser.get("/executions.json?service=Files")
    document = orjson.loads(reply.body)
    assert {each["id"] for each in document["executions"]} == every
    assert document["is_complete"] is True
    assert set(rows[0]) <= set(document["executions"][0])
    (row,) = csv.DictReader(io.StringIO(browser.get("/executions.csv?state=failed").text))
    assert (row["id"], row["error"], row["attempts"]) == (some["failed"].id, "why it failed", "1")
    empty = orjson.loads(browser.get("/executions.json?service=Nothing").body)
    assert empty == {"executions": [], "is_complete": True}


def test_no_cell_is_a_formula_and_no_file_holds_a_secret(atom, browser):
    new = accept(atom, State.FAILED, service='=HYPERLINK("http://x")', action="@a", tenant_id="-1")
    text = browser.get("/executions.csv?tenant=-1").text
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["service"] == '\'=HYPERLINK("http://x")'
    assert (row["action"], row["tenant_id"]) == ("'@a", "'-1")
    assert new.token not in text
    assert new.token not in browser.get("/executions.json?tenant=-1").text
    a_nasty_execution(atom)
    assert "<script>alert" not in browser.get("/executions").text
