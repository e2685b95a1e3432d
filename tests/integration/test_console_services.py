"""The pages of what is declared: what a flow platform sees, and what is paused from there."""

import pytest

from tests.support.browser import Browser
from tests.support.console import ConsoleAtom
from tests.support.waiting import until

BROKEN = """from atom import FlowService
broken = FlowService("Broken")
raise RuntimeError("<script>the database is away</script>")
"""


@pytest.fixture(scope="module")
def atom(tmp_path_factory):
    directory = tmp_path_factory.mktemp("services")
    (directory / "broken_service.py").write_text(BROKEN)
    services = "tests.support.services,tests.support.tidy,examples.contacts,examples.documents"
    atom = ConsoleAtom(directory, services, PYTHONPATH=str(directory))
    try:
        atom.start_all(["--pool=threads", "--concurrency=4"])
        yield atom
    finally:
        atom.close()


@pytest.fixture(scope="module")
def url(atom):
    return atom.start_console(ATOM_PUBLIC_URL="https://atom.example.com/")


@pytest.fixture
def browser(url):
    return Browser(url)


def accepts(atom):
    """Whether the listener takes a request."""
    flow = atom.platform.prepare(f"{atom.url}/fs/Trial", [("No", {})])
    (call,) = flow.calls.values()
    return atom.platform.ask(flow, call)


def press(browser, page, action, **fields):
    answer = browser.post(f"/services/{action}", {"form": browser.get(page).form_token, **fields})
    assert answer.status == 303
    return browser.get(answer.headers["Location"]).text


def test_each_service_with_what_a_flow_platform_needs(browser):
    text = browser.get("/services").text
    for name in ("Trial", "Tidy", "Contacts", "Documents"):
        assert f'href="/services/{name}"' in text
    assert text.count("listening</span>") == 4
    assert "1 listener seen lately" in text
    page = " ".join(browser.get("/services/Contacts").text.split())
    for shown in (
        "https://atom.example.com/fs/Contacts</pre>",
        'href="https://atom.example.com/fs/Contacts/openapi.json"',
        "<td>region</td><td>String</td><td>no</td>",
        "Contact: get, query, save, delete",
        "<h3>Contact</h3>",
        "queue processes (1 worker)",
    ):
        assert shown in page
    assert "<code>/file</code>: list, upload" in browser.get("/services/Documents").text
    assert browser.get("/services/Nothing").status == 404


def test_action_with_a_cleanup_says_so(browser):
    assert "then its cleanup (<code>on_end</code>)" in browser.get("/services/Tidy").text
    assert "on_end" not in browser.get("/services/Trial").text


def test_a_service_and_an_action_are_paused_and_resumed(atom, browser):
    told = press(browser, "/services", "pause", target="Trial")
    assert "“Trial” takes no new requests; what runs goes on." in told
    assert "paused</span>" in told
    until(lambda: not accepts(atom), "the listener to refuse")
    told = press(browser, "/services/Trial", "pause", target="Trial.No", service="Trial")
    assert "“Trial.No” takes no new requests" in told
    told = press(browser, "/services", "resume", target="Trial")
    assert "“Trial.No” is still paused by itself." in told
    assert "Paused by themselves" in told
    told = press(browser, "/services/Trial", "resume", target="Trial.No", service="Trial")
    assert "“Trial.No” takes requests." in told
    assert "paused</span>" not in told
    until(lambda: accepts(atom), "the listener to accept")


def test_everything_at_once(browser):
    told = press(browser, "/services", "pause", target="*")
    assert "Nothing takes new requests since" in told
    assert "Every service takes requests." in press(browser, "/services", "resume", target="*")


def test_what_nobody_knows_is_no_target(browser):
    assert "No service or action is called “Nothing”" in press(
        browser, "/services", "pause", target="Nothing"
    )
    assert browser.post("/services/pause", {"target": "Trial"}).status == 403


def test_what_does_not_load_is_shown_with_its_reason_beside_what_does(atom):
    services = "tests.support.services,broken_service,nothing.of.that.name"
    browser = Browser(atom.start_console("broken", ATOM_SERVICES=services))
    text = browser.get("/services").text
    assert text.count("failed to load</span>") == 2
    assert "importing broken_service failed: RuntimeError: &lt;script&gt;the database" in text
    assert "there is no module nothing" in text
    assert 'href="/services/Trial"' in text
    assert "The console cannot show what is in broken_service" in atom.log("broken").decode()
    assert atom.end("broken") == 0
    assert b"The console has ended" in atom.log("broken")
