"""The examples through a whole Atom, as a flow platform meets them."""

from pathlib import Path

import orjson
import pytest

from atom.sandbox import Connector, SandboxError
from atom.sandbox.run_api import FLOWS
from tests.support.roles import TestAtom
from tests.support.waiting import until

EXAMPLES = "examples.orders,examples.contacts,examples.documents,examples.launch"
METADATA = Path(__file__).parent / "metadata"


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    atom = TestAtom(
        folder,
        EXAMPLES,
        ORDERS_DATABASE=str(folder / "orders.sqlite3"),
        ORDERS_PACE_SECONDS="0",
        CONTACTS_DATABASE=f"sqlite:///{folder}/contacts.sqlite3",
        DOCUMENTS_FOLDER=str(folder / "documents"),
        ATOM_FLOW_USERNAME="ada",
        ATOM_FLOW_PASSWORD="lovelace",
    )
    atom.environment["ATOM_FLOW_URL"] = atom.sandbox.url
    try:
        atom.start_all()
        yield atom
    finally:
        atom.close()


@pytest.fixture
def connector(examples):
    opened = []

    def connect(service, **values):
        examples.platform.configure(f"{examples.url}/fs/{service}", values)
        opened.append(Connector(examples.platform, f"{examples.url}/fs/{service}"))
        return opened[-1]

    yield connect
    for each in opened:
        each.close()


def values(found):
    return {each["developerName"]: each["contentValue"] for each in found["properties"]}


def resumed(flow):
    assert flow.wait_over(120).is_over, flow.events
    (event,) = flow.events_of("resumed")
    return event.details


def outputs(details):
    return {each["developerName"]: each for each in details["outputs"]}


@pytest.mark.parametrize("service", ["Orders", "Contacts", "Documents"])
def test_the_metadata_is_what_was_written_by_hand(examples, service):
    by_hand = orjson.loads((METADATA / f"{service.lower()}.json").read_bytes())
    assert examples.platform.install(f"{examples.url}/fs/{service}") == by_hand


# --- contacts


def test_a_contact_is_saved_found_changed_and_deleted(connector):
    contacts = connector("Contacts", region="EMEA")
    (ada,) = contacts.save("Contact", [(None, {"Name": "Ada", "Email": "ada@example.org"})])
    id = ada["externalId"]
    assert values(ada) == {
        "ID": id,
        "Name": "Ada",
        "Phone": None,
        "Email": "ada@example.org",
        "Region": "EMEA",
    }
    assert contacts.get("Contact", id)["properties"] == ada["properties"]

    contacts.save("Contact", [(id, {"Name": "Ada Lovelace", "Email": "ada@example.org"})])
    by_name = {
        "where": [{"columnName": "Name", "criteriaType": "STARTS_WITH", "contentValue": "ada l"}],
        "orderBy": [{"columnName": "ID", "direction": "DESC"}],
        "limit": 10,
        "offset": 0,
    }
    answer = contacts.query("Contact", by_name)
    assert [each["externalId"] for each in answer["objectData"]] == [id]
    assert answer["hasMoreResults"] is False

    with pytest.raises(SandboxError, match="has this email address") as caught:
        contacts.save("Contact", [(None, {"Name": "Another", "Email": "ada@example.org"})])
    assert caught.value.status == 409

    contacts.delete("Contact", [id])
    contacts.delete("Contact", [id])
    assert contacts.get("Contact", id) is None
    with pytest.raises(SandboxError, match=f"There is no contact {id}"):
        contacts.save("Contact", [(id, {"Name": "Ada"})])


def test_saving_many_is_all_or_nothing(connector):
    contacts = connector("Contacts")
    with pytest.raises(SandboxError, match="email"):
        contacts.save(
            "Contact",
            [
                (None, {"Name": "First", "Email": "same@example.org"}),
                (None, {"Name": "Second", "Email": "same@example.org"}),
            ],
        )
    found = contacts.query("Contact", {"search": "same@example.org"})
    assert found["objectData"] == []


def test_contacts_are_paged(connector):
    contacts = connector("Contacts", region="paged")
    contacts.save("Contact", [(None, {"Name": f"P{number:02}"}) for number in range(7)])
    listed = {
        "where": [{"columnName": "Region", "criteriaType": "EQUAL", "contentValue": "paged"}],
        "orderBy": [{"columnName": "Name", "direction": "ASC"}],
        "limit": 3,
    }
    pages = [contacts.query("Contact", {**listed, "offset": offset}) for offset in (0, 3, 6)]
    names = [[values(each)["Name"] for each in page["objectData"]] for page in pages]
    assert names == [["P00", "P01", "P02"], ["P03", "P04", "P05"], ["P06"]]
    assert [page["hasMoreResults"] for page in pages] == [True, True, False]


def test_a_csv_is_imported_with_the_refused_lines_listed(examples, connector):
    contacts = connector("Contacts")
    lines = [f"Import {number},+49 {number},import{number}@example.org" for number in range(250)]
    lines[7] = ",+49,nameless@example.org"
    lines[120] = lines[119]
    flow = examples.run(
        "Import", {"CSV": "\n".join(["Name,Phone,Email", *lines])}, service="Contacts"
    )
    details = resumed(flow)
    assert outputs(details)["Imported"]["contentValue"] == "248"
    refused = [values(each) for each in outputs(details)["Refused"]["objectData"]]
    assert refused == [
        {"Line": "9", "Reason": "A contact needs a name."},
        {"Line": "122", "Reason": "import119@example.org is there already."},
    ]
    # Told as it went; on a busy machine the outcome is there before the flow is told so.
    assert examples.execution_of(flow).progress == "250 of 250 lines"
    found = contacts.query("Contact", {"search": "import249@"})
    assert len(found["objectData"]) == 1


def test_a_csv_of_which_nothing_can_be_taken_is_a_fault_for_each_row(examples):
    flow = examples.run("Import", {"CSV": "Name,Email\n,a@b.c\n ,d@e.f\n"}, service="Contacts")
    faults = resumed(flow)["rootFaults"]
    assert faults == {"Line 2": "A contact needs a name.", "Line 3": "A contact needs a name."}
    flow = examples.run("Import", {"CSV": "nonsense"}, service="Contacts")
    assert "column names" in resumed(flow)["rootFaults"]["CSV"]


# --- documents


def test_a_document_is_uploaded_listed_and_read(examples, connector):
    documents = connector("Documents")
    text = b"one two\nthree\n" * 1000
    uploaded = values(documents.upload("/file", "../notes.txt", text, "text/plain"))
    assert (uploaded["Name"], uploaded["Mime Type"]) == ("notes.txt", "text/plain")
    listed = documents.files("/file", {"search": "notes"})
    assert [values(each)["Id"] for each in listed["objectData"]] == [uploaded["Id"]]

    counted = outputs(
        resumed(examples.run("Count", {"File Id": uploaded["Id"]}, service="Documents"))
    )
    assert counted["Lines"]["contentValue"] == "2000"
    assert counted["Words"]["contentValue"] == "3000"


def test_a_document_that_is_not_there_is_a_fault_of_its_id(examples):
    for id in ("00000000-0000-4000-8000-000000000000", "../../etc"):
        details = resumed(examples.run("Count", {"File Id": id}, service="Documents"))
        assert details["rootFaults"] == {}
        (fault,) = details["valueFaults"]
        assert fault["faultCode"] == "NoSuchFile"


# --- launch


@pytest.mark.parametrize("flow", FLOWS, ids=lambda each: each.name)
def test_a_process_launches_a_flow(examples, flow):
    asked = {"Flow Id": flow.id, "Name": "Ada"}
    details = resumed(examples.run("Start flow", asked, service="Launch"))
    assert details["rootFaults"] == {}
    greeting = outputs(details)["Greeting"]["contentValue"]
    assert greeting == ("Hello, Ada!" if flow.needs else None)
    state_id = outputs(details)["State Id"]["contentValue"]
    assert state_id in outputs(details)["Join URL"]["contentValue"]


def test_a_flow_that_is_not_there_is_a_fault(examples):
    flow = examples.run("Start flow", {"Flow Id": "nix"}, service="Launch")
    assert resumed(flow)["rootFaults"] == {
        "Refused": "The flow was not started: There is no flow nix."
    }


def test_no_password_is_in_any_log(examples):
    until(lambda: b"Launch.Start flow" in examples.logs(), "the log")
    assert b"lovelace" not in examples.logs()
