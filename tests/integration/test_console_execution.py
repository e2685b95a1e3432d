"""The page of one execution: what it tells, and what an operator does there."""

import re
from html import unescape

import pytest
from redis import Redis

from atom import names
from atom.records import CallbackState, State
from tests.support.browser import Browser
from tests.support.console import ConsoleAtom, a_parked_one, ended, running, settled
from tests.support.waiting import until


@pytest.fixture(scope="module")
def atom(tmp_path_factory):
    atom = ConsoleAtom(tmp_path_factory.mktemp("execution"))
    try:
        atom.start_all(["--pool=threads", "--concurrency=4"])
        yield atom
    finally:
        atom.close()


@pytest.fixture(scope="module")
def url(atom):
    return atom.start_console()


@pytest.fixture
def browser(url):
    return Browser(url)


def act(browser, execution, action):
    """Press the button; the page that follows."""
    path = f"/executions/{execution.id}"
    page = browser.get(path)
    assert f'action="{path}/{action}"' in page.text
    answer = browser.post(f"{path}/{action}", {"form": page.form_token})
    assert (answer.status, answer.headers["Location"]) == (303, path)
    return browser.get(path).text


def test_it_tells_what_happened_in_a_picture_in_a_table_and_in_documents(atom, browser):
    execution = settled(atom, atom.run("Progress"))
    text = browser.get(f"/executions/{execution.id}").text
    assert '<svg class="timeline"' in text
    for shown in ("Attempt 1", "message 0", "Callback (outcome)", "200 SUCCESS", "completed"):
        assert shown in text
    assert '<th scope="row">Text <small>String</small></th>' in text
    assert 'hx-trigger="every' not in text
    assert "As JSON" in text
    assert f"/executions?text={execution.flow_state_id}" in text
    echoed = settled(atom, atom.run("Echo", {"Text": "x", "Password": "canary-password"}))
    assert "canary" not in browser.get(f"/executions/{echoed.id}").text


def test_what_runs_is_live_and_is_cancelled_from_the_page(atom, browser):
    flow = atom.run("Sync", {"Seconds": 60})
    execution = running(atom, flow)
    page = browser.get(f"/executions/{execution.id}").text
    assert 'hx-trigger="every 2s"' in page
    assert "/retry" not in page
    told = act(browser, execution, "cancel")
    assert "Cancelled while it ran on" in told
    assert ended(atom, flow).state is State.CANCELLED
    # Who has an old page before him hears why it is too late.
    again = browser.post(
        f"/executions/{execution.id}/cancel", {"form": browser.get("/executions").form_token}
    )
    assert "It has ended already (cancelled)." in browser.get(again.headers["Location"]).text


def test_a_parent_shows_its_children_and_a_child_its_parent(atom, browser, tmp_path):
    inputs = {"Count": 3, "File": str(tmp_path / "lines")}
    execution = settled(atom, atom.run("Squares", inputs, service="Lasting"))
    page = browser.get(f"/executions/{execution.id}").text
    assert "3 completed" in page
    child = atom.store.children(execution.id)[2]
    assert f'href="/executions/{child.id}"' in page
    assert f'href="/executions/{execution.id}"' in browser.get(f"/executions/{child.id}").text
    assert child.id not in browser.get("/executions").text
    assert "Retry from the start" in page
    page = browser.get(f"/executions/{child.id}").text
    assert "Retry from the start" not in page
    assert f"It cannot be retried: it is a child; retry its parent {execution.id}." in page


def test_long_outcome_of_an_entry_is_unfolded_on_the_page(atom, browser, tmp_path):
    inputs = {"Count": 40, "File": str(tmp_path / "lines")}
    execution = settled(atom, atom.run("Squares", inputs, service="Lasting"))
    page = unescape(browser.get(f"/executions/{execution.id}").text)
    (short,) = re.findall(
        r"<details id=\"outcome:1:squares:[0-9.]+\" hx-preserve><summary>(.*)", page
    )
    summary, _, whole = short.partition("</summary>")
    assert summary.startswith('[{"result":0},')
    assert "…" in summary
    assert '{"result":1521}' not in summary
    assert '{"result":1521}]</pre>' in whole


def test_what_is_suspended_says_what_it_waits_for(atom, browser, tmp_path):
    inputs = {"Seconds": 600, "File": str(tmp_path / "lines")}
    flow = atom.run("Approval", inputs, service="Lasting")
    until(lambda: atom.execution_of(flow).state is State.SUSPENDED, "it to wait")
    execution = atom.execution_of(flow)
    page = browser.get(f"/executions/{execution.id}").text
    assert "It waits for signal “approval” until" in page
    assert 'hx-trigger="every 2s"' in page
    assert "cancelled while it was suspended" in act(browser, execution, "cancel").lower()


def give(browser, execution, **fields):
    """Submit the form for a signal; returns the answer."""
    path = f"/executions/{execution.id}"
    page = browser.get(path)
    assert f'action="{path}/signal"' in page.text
    assert 'name="name" value="approval"' in page.text
    return browser.post(f"{path}/signal", {"form": page.form_token, **fields})


def test_signal_is_given_from_the_page(atom, browser, tmp_path):
    flow = atom.run(
        "Approval", {"Seconds": 600, "File": str(tmp_path / "lines")}, service="Lasting"
    )
    until(lambda: atom.execution_of(flow).state is State.SUSPENDED, "it to wait")
    execution = atom.execution_of(flow)
    path = f"/executions/{execution.id}"
    for fields, problem in (
        ({"name": "approval", "event": "{"}, "The event is not JSON"),
        ({"name": " ", "event": "1"}, "The name of the signal is missing"),
    ):
        answer = give(browser, execution, **fields)
        assert (answer.status, problem in answer.text) == (400, True)
    assert browser.post(f"{path}/signal", {"name": "approval"}).status == 403
    assert atom.execution_of(flow).state is State.SUSPENDED

    answer = give(browser, execution, name="approval", event='{"by": "Ada"}')
    assert (answer.status, answer.headers["Location"]) == (303, path)
    assert "Goes on with the signal “approval”." in browser.get(path).text
    assert settled(atom, flow).state is State.COMPLETED
    assert "Ada" in str(flow.events_of("resumed")[0].details)
    assert "Give a signal" not in browser.get(path).text


@pytest.mark.parametrize("action", ["retry", "restart"])
def test_what_failed_is_run_again(atom, browser, action):
    execution = settled(atom, atom.run("Break"))
    assert execution.attempts == 1
    assert "Starts again; its flow waits no longer" in act(browser, execution, action)
    until(
        lambda: (
            (again := atom.store.get(execution.id)).attempts == 2 and again.state is State.FAILED
        ),
        "its second end",
    )


@pytest.mark.parametrize("drops", [False, True], ids=["kept", "dropped"])
def test_retry_from_the_start_keeps_the_signals_unless_they_are_dropped(
    atom, browser, tmp_path, drops
):
    inputs = {"Seconds": 600, "File": str(tmp_path / "lines")}
    flow = atom.run("Approval", inputs, service="Lasting")
    until(lambda: atom.execution_of(flow).state is State.SUSPENDED, "it to wait")
    give(browser, atom.execution_of(flow), name="approval", event='{"by": "Ada"}')
    execution = settled(atom, flow)
    path = f"/executions/{execution.id}"
    page = browser.get(path)
    assert '<label><input type="checkbox" name="drop_signals"> Forget the signals' in page.text
    form = {"form": page.form_token, **({"drop_signals": "on"} if drops else {})}
    assert browser.post(f"{path}/restart", form).status == 303
    expected = State.SUSPENDED if drops else State.COMPLETED
    until(
        lambda: (again := atom.store.get(execution.id)).attempts == 2 and again.state is expected,
        "the second run",
    )
    if drops:
        act(browser, execution, "cancel")


def test_execution_is_retried_from_a_step_of_its_timeline(atom, browser, tmp_path):
    inputs = {"Seconds": 600, "File": str(tmp_path / "lines")}
    flow = atom.run("Approval", inputs, service="Lasting")
    until(lambda: atom.execution_of(flow).state is State.SUSPENDED, "it to wait")
    execution = atom.execution_of(flow)
    path = f"/executions/{execution.id}"
    retry = f"{path}/retry-from-step"
    assert retry not in browser.get(path).text
    give(browser, execution, name="approval", event='{"by": "Ada"}')
    settled(atom, flow)

    page = browser.get(path)
    assert f'action="{retry}"' in page.text
    assert 'name="step" value="approval"' in page.text
    form = {"form": page.form_token, "step": "approval", "occurrence": "1"}
    assert browser.post(retry, {**form, "form": "forged"}).status == 403
    assert browser.post(retry, {**form, "occurrence": "x"}).status == 400
    nobody = browser.post("/executions/nobody/retry-from-step", form)
    assert nobody.status == 404
    browser.post(retry, {**form, "step": "refusal"})
    assert "it has no recorded step “refusal”; recorded are “approval”" in browser.get(path).text
    assert atom.store.get(execution.id).state is State.COMPLETED

    answer = browser.post(retry, {**form, "drop_signals": "on"})
    assert (answer.status, answer.headers["Location"]) == (303, path)
    assert "Starts again" in browser.get(path).text
    until(lambda: atom.store.get(execution.id).state is State.SUSPENDED, "it to wait again")
    give(browser, execution, name="approval", event='{"by": "Bob"}')
    until(lambda: atom.store.get(execution.id).state is State.COMPLETED, "its second end")
    assert "approved by Bob" in browser.get(path).text


def test_execution_is_copied_from_its_page(atom, browser):
    execution = settled(atom, atom.run("Echo", {"Text": "the first"}))
    path = f"/executions/{execution.id}"
    page = browser.get(path)
    assert f'action="{path}/copy"' in page.text
    assert 'name="inputs:Text" type="text" value="the first"' in page.text
    assert 'name="inputs:Password" type="password" value="" placeholder="unchanged"' in page.text
    form = {"form": page.form_token, "inputs:Text": "the second"}
    assert browser.post(f"{path}/copy", {**form, "form": "forged"}).status == 403
    assert browser.post("/executions/nobody/copy", form).status == 404
    answer = browser.post(f"{path}/copy", {**form, "inputs:Number": "many"})
    assert (answer.status, answer.headers["Location"]) == (303, path)
    assert "Cannot be copied: " in browser.get(path).text

    answer = browser.post(f"{path}/copy", {**form, "inputs:Password": "canary-password"})
    assert answer.status == 303
    copied = answer.headers["Location"].rpartition("/")[2]
    assert copied != execution.id
    until(lambda: atom.store.get(copied).state is State.COMPLETED, "the copy")
    page = browser.get(f"/executions/{copied}").text
    assert f'Copy of <a href="{path}">' in page
    assert "the second" in page
    assert "canary" not in page
    assert f'Copied as <a href="/executions/{copied}">' in browser.get(path).text
    assert atom.store.get(execution.id).attempts == 1


def test_execution_whose_request_was_not_kept_is_not_copied(atom, browser):
    execution = settled(atom, atom.run("Echo", {"Text": "x"}))
    path = f"/executions/{execution.id}"
    page = browser.get(path)
    with Redis.from_url(atom.redis.url) as client:
        client.hdel(names.documents_key(execution.id), "request")
    answer = browser.post(f"{path}/copy", {"form": page.form_token, "inputs:Text": "y"})
    assert answer.headers["Location"] == path
    page = browser.get(path).text
    assert "Cannot be copied: its request was not kept; start the flow again." in page
    assert f'action="{path}/copy"' not in page
    assert atom.store.copies(atom.store.get(execution.id)) == []


def test_copy_from_the_page_takes_secrets_that_were_deleted(atom, browser):
    execution = settled(atom, atom.run("Echo", {"Text": "x", "Password": "canary-password"}))
    path = f"/executions/{execution.id}"
    page = browser.get(path)
    field = 'name="inputs:Password" type="password" value="" placeholder="deleted" required'
    assert field in page.text
    form = {"form": page.form_token, "inputs:Text": "y", "inputs:Password": ""}
    assert browser.post(f"{path}/copy", form).headers["Location"] == path
    refusal = "deleted when it completed; give new values for the input “Password”"
    assert refusal in browser.get(path).text

    answer = browser.post(f"{path}/copy", {**form, "inputs:Password": "canary-again"})
    copied = answer.headers["Location"].rpartition("/")[2]
    assert copied != execution.id
    until(lambda: atom.store.get(copied).state is State.COMPLETED, "the copy")
    assert "canary" not in browser.get(f"/executions/{copied}").text


def test_a_parked_callback_is_sent_again_or_dismissed(atom, browser):
    execution = a_parked_one(atom)
    assert "Its callback is parked" in browser.get(f"/executions/{execution.id}").text
    assert "Its callback is sent within seconds." in act(browser, execution, "replay")
    until(
        lambda: atom.store.get(execution.id).callback_state is CallbackState.DELIVERED,
        "the flow to have it",
    )
    other = a_parked_one(atom)
    assert "Dismissed; it stays in the history." in act(browser, other, "dismiss")
    assert atom.store.get(other.id).callback_state is CallbackState.DISMISSED


def test_what_is_not_there_cannot_be_acted_on(browser):
    form = {"form": browser.get("/executions").form_token}
    assert browser.post("/executions/nothing/cancel", form).status == 404
    assert browser.post("/executions/nothing/explode", form).status == 404
    assert browser.post("/executions/nothing/cancel", {}).status == 403


@pytest.mark.parametrize(
    "beside", ["documents", "log", "steps", "children", "signals", "%64ocuments"]
)
def test_key_beside_an_execution_has_no_page(atom, browser, beside):
    execution = settled(atom, atom.run("Echo", {"Text": "x"}))
    assert browser.get(f"/executions/{execution.id}").status == 200
    assert browser.get(f"/executions/{execution.id}:{beside}").status == 404


def test_a_viewer_sees_no_button_and_is_refused(atom, url):
    execution = settled(atom, atom.run("Break"))
    with atom.user("vera", "--role", "viewer") as token:
        browser = Browser(url)
        until(lambda: browser.get("/").status == 303, "the console asks who comes")
        assert browser.log_in("vera", token).status == 303
        page = browser.get(f"/executions/{execution.id}")
        assert page.status == 200
        assert f"/executions/{execution.id}/" not in page.text
        refused = browser.post(f"/executions/{execution.id}/retry", {"form": page.form_token})
        assert refused.status == 403
        assert "Looking is all that a viewer may do" in refused.text
        assert atom.store.get(execution.id).attempts == 1
        found = browser.post("/executions", {"form": page.form_token, "text": execution.id})
        assert found.headers["Location"] == f"/executions/{execution.id}"
