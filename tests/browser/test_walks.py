"""What people do with the console, from the first click to the last."""

import re
import subprocess
import sys

import pytest
from playwright.sync_api import expect

from atom.records import CallbackState, State
from tests.support.console import a_nasty_execution, a_parked_one, ended, running
from tests.support.waiting import until

SECONDS = 60_000


@pytest.fixture(autouse=True)
def patient():
    expect.set_options(timeout=60_000)


def install(page, name):
    page.goto("/try")
    page.get_by_role("button", name=f"Install {name}").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"/fs/{name}")


def order(page, sku="LAMP-1"):
    """Fill the form of the order example with one line, and run it."""
    page.get_by_role("link", name="Fulfil").click()
    page.get_by_label("Order Number").fill("A-17")
    page.get_by_role("group", name="Customer").get_by_label("Name").fill("Ada")
    page.get_by_role("button", name="Add to Lines").click()
    line = page.get_by_role("group", name="Lines 1")
    line.get_by_label("Sku").fill(sku)
    line.get_by_label("Quantity").fill("2")
    page.get_by_role("button", name="Run").click()


def test_install_a_service_run_the_long_example_and_see_it_finish(page, tmp_path):
    install(page, "Orders")
    order(page)
    state = page.get_by_role("status").first
    expect(state).to_contain_text("waits")
    expect(page.get_by_role("cell", name="progress").first).to_be_visible()
    expect(state).to_contain_text("has resumed")
    expect(page.get_by_text("TRK-").first).to_be_visible()
    expect(page.get_by_text("sent: POST").first).to_be_visible()
    # What was tried is a test: it runs.
    with page.expect_download() as download:
        page.get_by_role("link", name="Save as a test").click()
    saved = tmp_path / "test_tried.py"
    download.value.save_as(saved)
    run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(saved)]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + saved.read_text()
    # Its execution, with a picture of what happened.
    page.get_by_role("link", name="Its execution").click()
    page.get_by_role("link", name="Orders.Fulfil").click()
    expect(page.get_by_role("img", name="When what happened")).to_be_visible()
    expect(page.get_by_role("cell", name="ship LAMP-1")).to_be_visible()


def test_a_bad_value_is_said_beside_its_field_and_the_rest_is_kept(page):
    install(page, "Orders")
    page.get_by_role("link", name="Fulfil").click()
    page.get_by_label("Order Number").fill("A-18")
    page.get_by_role("button", name="Add to Lines").click()
    page.get_by_role("button", name="Add to Lines").click()
    page.get_by_role("group", name="Lines 2").get_by_label("Sku").fill("LAMP-1")
    page.get_by_role("button", name="Remove Lines 1").click()
    line = page.get_by_role("group", name="Lines 1")
    expect(line.get_by_label("Sku")).to_have_value("LAMP-1")
    line.get_by_label("Quantity").fill("many")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_text("This is not a number.")).to_be_visible()
    expect(page.get_by_label("Order Number")).to_have_value("A-18")


def test_fault_it_and_retry_it(page, atom):
    install(page, "Orders")
    order(page, sku="NOPE")
    expect(page.get_by_role("status").first).to_contain_text("has resumed with a fault")
    expect(page.get_by_text("There is no article NOPE.").first).to_be_visible()
    page.get_by_role("link", name="Its execution").click()
    page.get_by_role("link", name="Orders.Fulfil").click()
    page.get_by_text("Retry from the start…").click()
    page.get_by_role("checkbox", name="Forget the signals").first.check()
    page.get_by_role("button", name="Retry from the start").click()
    expect(page.get_by_text("Starts again; its flow waits no longer")).to_be_visible()
    # The page follows by itself.
    expect(page.get_by_role("cell", name="Attempt 2", exact=True)).to_be_visible()
    expect(page.locator("h1 + p")).to_contain_text("faulted")


def test_cancel_one_that_runs(page, atom):
    flow = atom.run("Sync", {"Seconds": 120})
    execution = running(atom, flow)
    page.goto(f"/executions/{execution.id}")
    page.get_by_text("Cancel…").click()
    # What is open stays open while the page is kept up to date.
    with page.expect_response(re.compile(execution.id)):
        pass
    page.get_by_role("button", name="Yes, cancel it").click()
    expect(page.get_by_text("Cancelled while it ran on")).to_be_visible()
    assert ended(atom, flow).state is State.CANCELLED


def test_pause_a_listener_and_see_the_refusal(page):
    page.goto("/services")
    page.get_by_role("button", name="Pause Contacts").click()
    expect(page.get_by_text("“Contacts” takes no new requests")).to_be_visible()
    install(page, "Contacts")
    page.get_by_role("link", name="Import").click()
    page.get_by_label("CSV").fill("Name,Phone,Email\nAda,1,ada@example.com\n")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("status").first).to_contain_text("was refused")
    page.goto("/")
    expect(page.get_by_text("“Contacts” takes no new requests since")).to_be_visible()
    page.get_by_role("button", name="Resume Contacts").click()
    expect(page.get_by_text("“Contacts” takes requests.")).to_be_visible()


def test_replay_a_parked_callback(page, atom):
    execution = a_parked_one(atom)
    page.goto("/")
    page.get_by_role("link", name="Callbacks parked").click()
    page.get_by_label(f"Choose {execution.id}").check()
    page.get_by_role("button", name="Send callbacks again").click()
    expect(page.get_by_text("Sending again: 1 of 1, ended")).to_be_visible()
    until(
        lambda: atom.store.get(execution.id).callback_state is CallbackState.DELIVERED,
        "the flow to have it",
    )


def test_create_find_change_and_delete_contacts(page):
    install(page, "Contacts")
    page.get_by_role("link", name="Contact", exact=True).click()
    page.get_by_label("Name of a new one").fill("Grace Hopper")
    page.get_by_label("Phone of a new one").fill("1906")
    page.get_by_role("button", name="Save a new one").click()
    expect(page.get_by_text("Saved.")).to_be_visible()

    page.get_by_text("Filter and order").click()
    page.get_by_label("Property 1").select_option("Name")
    page.get_by_label("Operator 1").select_option("STARTS_WITH")
    page.get_by_label("Value 1").fill("Grace")
    page.get_by_label("Order by").select_option("Name")
    page.get_by_role("button", name="Query").click()
    expect(page.get_by_text("1 shown.")).to_be_visible()

    phone = page.get_by_label(re.compile("^Phone of (?!a new one)"))
    expect(phone).to_have_value("1906")
    phone.fill("1992")
    page.get_by_role("button", name=re.compile(r"^Save \d")).click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    expect(page.get_by_label(re.compile("^Phone of (?!a new one)"))).to_have_value("1992")
    page.get_by_role("button", name=re.compile(r"^Delete \d")).click()
    expect(page.get_by_text("Deleted.")).to_be_visible()
    expect(page.get_by_text("0 shown.")).to_be_visible()
    expect(page.get_by_text("sent: POST").first).to_be_visible()


def test_upload_a_file(page):
    install(page, "Documents")
    page.get_by_role("button", name="Look at its files").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Files of /file")
    page.get_by_label("File").set_input_files(
        {"name": "a report.txt", "mimeType": "text/plain", "buffer": b"quarterly" * 5000}
    )
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_text("a report.txt is uploaded.")).to_be_visible()
    expect(page.get_by_role("cell", name="a report.txt").first).to_be_visible()


def test_what_others_wrote_is_never_run(page, atom):
    execution_id = a_nasty_execution(atom)
    for path in (f"/executions/{execution_id}", "/executions", "/inbox", "/"):
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.goto(f"/executions/{execution_id}")
    assert page.get_by_text('<script>alert("x")</script>').count() > 5


def test_by_keyboard_alone_from_the_list_to_a_retry(page, atom):
    execution = ended(atom, atom.run("Break"))
    page.goto("/executions")

    def press_until(described):
        """Tab along until what is described has the focus, then press it."""
        for _ in range(100):
            page.keyboard.press("Tab")
            focused = page.evaluate(
                "(each => ['A', 'BUTTON'].includes(each.tagName) ? "
                "`${each.href || ''} ${each.textContent}` : '')(document.activeElement)"
            )
            if described in focused:
                page.keyboard.press("Enter")
                return
        raise AssertionError(f"no way to {described!r} by Tab")

    press_until(execution.id)
    expect(page.get_by_role("heading", level=1)).to_have_text("Trial.Break")
    press_until("Retry from the failed step")
    expect(page.get_by_text("Starts again;")).to_be_visible()


def test_rows_stay_where_they_are_while_new_ones_come(page, atom):
    first = ended(atom, atom.run("No"))
    page.goto("/executions?service=Trial&action=No")
    expect(page.get_by_text(first.id)).to_be_visible()
    ended(atom, atom.run("No"))
    newer = page.get_by_role("link", name="1 newer: show")
    expect(newer).to_be_visible()
    assert first.id in page.get_by_role("row").nth(1).inner_text()
    newer.click()
    expect(page.get_by_role("link", name="1 newer: show")).to_have_count(0)
