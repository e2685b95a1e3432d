"""Data actions through a whole Atom: load, save and delete, and all that is refused."""

from uuid import uuid4

import orjson
import pytest

from atom.records import State
from atom.sandbox import Connector, SandboxError
from tests.support.waiting import until

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def shop(atom):
    atom.platform.configure(f"{atom.url}/fs/Shop", {"Api Key": "k"})
    connector = Connector(atom.platform, f"{atom.url}/fs/Shop")
    yield connector
    connector.close()


def values(found):
    return {each["developerName"]: each["contentValue"] for each in found["properties"]}


def names(answer):
    return [values(each)["Name"] for each in answer["objectData"]]


def where(column, criteria, value):
    return {"columnName": column, "criteriaType": criteria, "contentValue": value}


def refused(shop, method, path, document, status):
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    reply = shop.send(method, path, body, JSON)
    problem = orjson.loads(reply.body)
    assert (reply.status, problem["statusCode"]) == (status, status), problem
    assert 0 < len(problem["message"]) <= 500
    assert "\n" not in problem["message"]
    assert "Traceback" not in problem["message"]
    return problem["message"]


# --- load


def test_get_answers_the_object(shop):
    found = shop.get("Item", "i7")
    assert found["externalId"] == "i7"
    assert found["developerName"] == "Item"
    assert values(found) == {
        "ID": "i7",
        "Name": "Item 07",
        "Price": "3.5",
        "Count": "7",
        "Sold": "false",
        "Added": "2026-01-08T00:00:00.000Z",
        "Pin": None,
    }


@pytest.mark.parametrize("id", ["gone", "", "' OR 1=1", "x" * 1000, "<&>", "ä/b?"])
def test_an_id_that_nobody_has_is_an_empty_list(shop, id):
    assert shop.get("Item", id) is None or id == ""


def test_query_filters_sorts_and_pages(shop):
    answer = shop.query(
        "Item",
        {
            "comparisonType": "AND",
            "where": [where("Price", "GREATER_THAN", "2")],
            "listFilters": [
                {
                    "comparisonType": "or",
                    "where": [
                        where("Name", "ends_with", "2"),
                        where("Count", "IS_EMPTY", "true"),
                    ],
                }
            ],
            "orderBy": [{"columnName": "Price", "direction": "DESC"}],
            "limit": 3,
            "offset": 1,
        },
    )
    assert names(answer) == ["Item 22", "Item 21", "Item 18"]
    assert answer["hasMoreResults"] is True


def test_the_last_page_says_so(shop):
    answer = shop.query("Item", {"limit": 10, "offset": 20})
    assert names(answer) == [f"Item {number}" for number in range(20, 25)]
    assert answer["hasMoreResults"] is False


def test_a_search_looks_into_every_text(shop):
    assert names(shop.query("Item", {"search": "ITEM 1"})) == [f"Item {n}" for n in range(10, 20)]
    assert names(
        shop.query("Item", {"search": "i3", "searchCriteria": [{"columnName": "ID"}]})
    ) == ["Item 03"]


def test_a_list_longer_than_the_limit_is_cut(shop):
    answer = shop.query("Note", {"limit": 1})
    assert [each["externalId"] for each in answer["objectData"]] == ["1"]
    assert answer["hasMoreResults"] is True


@pytest.mark.parametrize("value", ["<a> & 'b' \"c\"", "]]>", "%_\\", "\N{ROCKET}"])
def test_special_characters_are_only_characters(shop, value):
    assert names(shop.query("Item", {"where": [where("Name", "CONTAINS", value)]})) == []


@pytest.mark.parametrize("criteria", ["CONTAINS", "STARTS_WITH", "ENDS_WITH", "GREATER_THAN"])
@pytest.mark.parametrize("value", [None, ""])
def test_empty_search_field_restricts_nothing(shop, criteria, value):
    asked = {"where": [where("Name", criteria, value)], "limit": 3}
    assert names(shop.query("Item", asked)) == ["Item 00", "Item 01", "Item 02"]


@pytest.mark.parametrize("objects", [None, [], [{"externalId": "gone"}, {"externalId": None}]])
def test_without_provided_objects_nothing_is_loaded(shop, objects):
    assert loaded(shop, objects) == []


def test_only_provided_objects_are_loaded(shop):
    key = {"developerName": "ID", "contentType": "ContentString", "contentValue": "i9"}
    objects = [{"externalId": "i7"}, {"properties": [key]}, {"externalId": "gone"}]
    assert loaded(shop, objects) == ["Item 07", "Item 09"]


def loaded(shop, objects):
    list_filter = {"filterByProvidedObjects": True}
    document = shop.data_request("Item", listFilter=list_filter, objectData=objects)
    reply = shop.send("POST", "data", orjson.dumps(document), JSON)
    assert reply.status == 200, reply.body
    return names(orjson.loads(reply.body))


# --- save and delete


def test_save_creates_without_an_external_id_and_updates_with_one(shop):
    saved = shop.save(
        "Item", [(None, {"Name": "Lamp", "Price": "9.90"}), ("i3", {"Name": "Desk", "Count": 4})]
    )
    assert [each["externalId"] for each in saved] == ["new-Lamp", "i3"]
    assert [values(each)["Price"] for each in saved] == ["9.90", None]
    assert values(saved[1])["Count"] == "4"


def test_delete_gives_each_record_to_the_process(atom, shop):
    shop.delete("Item", ["i1", "i2"])
    newest = next(each for each in atom.store.find(20).executions if each.action == "Item.delete")
    assert newest.progress == "deleted i2"


# --- what a process says


def test_a_fault_is_a_problem_in_its_words(shop):
    with pytest.raises(SandboxError, match="This one is not for sale") as caught:
        shop.get("Item", "no")
    assert caught.value.status == 409


def test_a_bug_is_a_problem_that_tells_nothing_and_a_traceback_in_the_log(atom, shop):
    with pytest.raises(SandboxError) as caught:
        shop.get("Item", "broken")
    assert caught.value.status == 500
    assert "canary" not in str(caught.value)
    broken = next(each for each in atom.store.find(20).executions if each.state is State.FAILED)
    assert broken.id in str(caught.value)
    log = until(lambda: broken.id.encode() in atom.log("worker") and atom.log("worker"), "the log")
    assert b"canary-in-an-exception" in log


# --- what is refused


@pytest.mark.parametrize(
    ("method", "path", "type_name", "says"),
    [
        ("POST", "data", "Nix", "no data action for the type “Nix”; there are: Item, Note"),
        ("PUT", "data", "Note", "“Note” of service “Shop” has no process for save"),
        ("POST", "data/delete", "Note", "no process for delete; there are: query"),
    ],
)
def test_a_type_without_a_process_is_404(atom, shop, method, path, type_name, says):
    count = len(atom.store.find(10_000).executions)
    document = shop.data_request(type_name, objectData=[], listFilter=None)
    assert says in refused(shop, method, path, document, 404)
    assert len(atom.store.find(10_000).executions) == count


def test_get_without_a_get_process(shop):
    document = shop.data_request("Note", listFilter={"id": "1"})
    assert "no process for get" in refused(shop, "POST", "data", document, 404)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"objectDataType": None}, "objectDataType.developerName must name the type"),
        ({"objectDataType": {}}, "objectDataType.developerName must name the type"),
        ({"objectDataType": "Item"}, "objectDataType.developerName must name the type"),
        ({"listFilter": []}, "listFilter must be an object"),
        ({"listFilter": {"limit": -1}}, "listFilter.limit"),
        ({"listFilter": {"limit": "ten"}}, "listFilter.limit"),
        ({"listFilter": {"offset": -1}}, "listFilter.offset"),
        ({"listFilter": {"limit": 2**40}}, "listFilter.limit"),
        ({"listFilter": {"search": "x", "searchCriteria": ["Nix"]}}, "must be an object"),
        ({"listFilter": {"comparisonType": "XOR"}}, "listFilter.comparisonType"),
        ({"listFilter": {"where": {}}}, "listFilter.where"),
        ({"listFilter": {"filterByProvidedObjects": "yes"}}, "listFilter.filterByProvidedObjects"),
        ({"listFilter": {"where": [7]}}, "listFilter.where[0]"),
        ({"listFilter": {"where": [where("Nix", "EQUAL", "1")]}}, "there is no property “Nix”"),
        ({"listFilter": {"where": [where("Name", "LIKE", "1")]}}, "criteriaType must be one of"),
        ({"listFilter": {"where": [where("Price", "EQUAL", "cheap")]}}, "“Price”"),
        ({"listFilter": {"where": [where("Added", "EQUAL", "cheap")]}}, "“Added”"),
        ({"listFilter": {"where": [where("Price", "CONTAINS", "1")]}}, "not possible for “Price”"),
        ({"listFilter": {"where": [where("Pin", "EQUAL", "1")]}}, "a secret"),
        ({"listFilter": {"where": [where("Name", "EQUAL", "1")] * 10_000}}, "more than 500"),
        ({"listFilter": {"orderBy": [{"columnName": "Nix"}]}}, "there is no property “Nix”"),
        (
            {"listFilter": {"search": "x", "searchCriteria": [{"columnName": "Nix"}]}},
            "no property “Nix”",
        ),
        ({"listFilter": {"where": [where("Name", "EQUAL", "a\0b")]}}, "listFilter.where[0]"),
        ({"configurationValues": 7}, "configurationValues"),
    ],
    ids=lambda each: repr(each)[:70],
)
def test_a_field_that_is_wrong_is_named(atom, shop, changes, says):
    count = len(atom.store.find(10_000).executions)
    document = {**shop.data_request("Item", listFilter=None), **changes}
    assert says in refused(shop, "POST", "data", document, 400)
    assert len(atom.store.find(10_000).executions) == count


@pytest.mark.parametrize(
    ("path", "objects", "says"),
    [
        ("data", "x", "objectData"),
        ("data", [7], "objectData"),
        ("data", [{"properties": []}], "Name: missing data"),
        (
            "data",
            [
                {
                    "properties": [
                        {
                            "developerName": "Name",
                            "contentType": "ContentString",
                            "contentValue": "x",
                        },
                        {
                            "developerName": "Price",
                            "contentType": "ContentNumber",
                            "contentValue": "x",
                        },
                    ]
                }
            ],
            "Price",
        ),
        ("data/delete", [{"properties": []}], "no externalId"),
    ],
    ids=lambda each: repr(each)[:50],
)
def test_objects_that_are_wrong_are_refused_whole(shop, path, objects, says):
    method = "PUT" if path == "data" else "POST"
    document = shop.data_request("Item", objectData=objects)
    assert says in refused(shop, method, path, document, 400)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null"])
def test_a_body_that_is_no_request(shop, body):
    assert refused(shop, "POST", "data", body, 400)


# --- when it takes too long


@pytest.fixture
def impatient(atom):
    """A listener that waits for one second."""
    with atom.another_listener(ATOM_SYNC_SECONDS="1") as url:
        connector = Connector(atom.platform, f"{url}/fs/Shop")
        yield connector
        connector.close()


def test_past_the_limit_it_is_504_and_the_late_result_is_in_the_history(atom, impatient):
    id = f"slow-{uuid4()}"
    with pytest.raises(SandboxError) as caught:
        impatient.get("Item", id)
    assert caught.value.status == 504
    (late,) = [each for each in atom.store.find(20).executions if each.id in str(caught.value)]
    until(lambda: atom.store.get(late.id).state is State.COMPLETED, "the late result")
    assert atom.store.get(late.id).response["objectData"][0]["externalId"] == id
