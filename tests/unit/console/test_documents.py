"""Documents as tables, and requests as commands: what is shown, what is cut, what is quoted."""

import subprocess

import orjson
import pytest

from atom.console.curl import curl
from atom.console.documents import parts


def entry(name, value=None, kind="ContentString", objects=None):
    return {
        "developerName": name,
        "contentType": kind,
        "contentValue": value,
        "objectData": objects,
    }


def test_values_objects_and_faults_are_parts():
    line = {"properties": [entry("Sku", "A-1"), entry("Count", "2", "ContentNumber")]}
    other = {"properties": [entry("Sku", "B-2"), entry("Note", "fragile")]}
    inputs = [
        entry("Name", "Ada"),
        entry("Nothing", None, "ContentNumber"),
        entry("Lines", None, "ContentList", [line, other]),
    ]
    found = parts({"inputs": inputs, "rootFaults": {"Sundays": "closed"}, "objectData": [line]})
    assert [each.name for each in found] == ["Inputs", "Faults", "Objects"]
    values = found[0].values
    assert (values["Name"].text, values["Name"].kind) == ("Ada", "String")
    assert values["Nothing"].text is None
    lines = values["Lines"].table
    assert lines.columns == ["Sku", "Count", "Note"]
    assert [[cell.text for cell in row] for row in lines.rows] == [
        ["A-1", "2", None],
        ["B-2", None, "fragile"],
    ]
    assert found[1].values["Sundays"].text == "closed"
    assert found[2].table.rows[0][0].text == "A-1"


def test_much_is_cut_with_its_count():
    objects = [{"properties": [entry("N", str(n))]} for n in range(1000)]
    (part,) = parts(
        {"outputs": [entry("Many", None, "ContentList", objects), entry("T", "x" * 5000)]}
    )
    assert len(part.values["Many"].table.rows) == 50
    assert part.values["Many"].table.left_out == 950
    assert part.values["T"].text == f"{'x' * 2000}… (3,000 characters more)"


def test_what_is_nested_too_deeply_ends():
    deep = entry("End", "here")
    for _ in range(50):
        deep = entry("Deeper", None, "ContentObject", [{"properties": [deep]}])
    (part,) = parts({"inputs": [deep]})
    depth, value = 0, part.values["Deeper"]
    while value.table:
        depth, value = depth + 1, value.table.rows[0][0]
    assert depth < 20


@pytest.mark.parametrize("document", [None, {}, {"inputs": None}, {"inputs": ["x"], "outputs": 3}])
def test_what_is_no_document_has_no_parts(document):
    assert parts(document) == []


NASTY = 'it\'s "$HOME" `id` $(id) \\ $FLOW_TOKEN\n•'


def sent(command):
    """What curl gets of a command that a shell reads."""
    script = "curl() { printf '%s\\0' \"$@\"; }\n" + command
    environment = {"FLOW_TOKEN": "t-1", "ATOM_CREDENTIAL": "crm:secret", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(["sh", "-c", script], capture_output=True, env=environment, check=True)
    return [each.decode() for each in done.stdout.split(b"\0")[:-1]]


def test_a_shell_reads_the_command_as_it_was_meant():
    request = {"token": "••••", "inputs": [entry("Text", NASTY)]}
    words = sent(curl("http://127.0.0.1:8077", "CRM", "Plain name: ä/b?", request))
    assert words[:5] == [
        *("--request", "POST"),
        "http://127.0.0.1:8077/fs/CRM/actions/Plain%20name%3A%20%C3%A4/b%3F",
        *("--user", "crm:secret"),
    ]
    assert orjson.loads(words[-1]) == {**request, "token": "t-1"}


def test_a_token_alone_and_none_at_all():
    assert orjson.loads(sent(curl("http://x", "S", "A", {"token": "••••"}))[-1]) == {"token": "t-1"}
    assert orjson.loads(sent(curl("http://x", "S", "A", {"a": 1}))[-1]) == {"a": 1}


@pytest.mark.parametrize(
    ("action", "method", "path"),
    [
        ("Item.get", "POST", "data"),
        ("Item.query", "POST", "data"),
        ("Item.save", "PUT", "data"),
        ("Item.delete", "POST", "data/delete"),
        ("Order.Fulfil", "POST", "actions/Order.Fulfil"),
    ],
)
def test_each_kind_of_action_has_its_address(action, method, path):
    words = sent(curl("https://atom.example.com", "CRM", action, {"objectData": []}))
    assert words[1:3] == [method, f"https://atom.example.com/fs/CRM/{path}"]


def test_files_and_very_long_documents_are_no_command():
    assert curl("http://x", "S", "/file.upload", {}) == ""
    assert curl("http://x", "S", "A", {"inputs": "x" * 200_000}) == ""
