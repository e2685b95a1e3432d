"""Deploys of changed code under executions that sleep, wait for signals and map."""

from collections import Counter

import pytest
import redis

from atom.records import State
from atom.suspension import WaitKind
from tests.support.operating import command, resumed
from tests.support.versions import Deploys
from tests.support.waiting import until

SERVICE = """
from atom import FlowService, Profile, fields

shop = FlowService("Shop", version="{version}")


class Order(Profile):
    file = fields.String(data_key="File", required=True)
{inputs}

class Receipt(Profile):
    text = fields.String(data_key="Text")
{outputs}

def note(file, line):
    with open(file, "a") as lines:
        lines.write(line + "\\n")


def ship(item, execution):
    execution.step("pack", note, item["file"], f"pack {{item['number']}}")
    execution.signal("packed")
    return item["number"]


@shop.message_action("Order", request=Order, response=Receipt, timeout=3600)
def order(request, execution):
    file = request["file"]
{body}
"""

FIRST = """
    execution.step("price", note, file, "price")
    execution.step("reserve", note, file, "reserve")
    execution.step("audit", note, file, "audit")
    execution.sleep(1, name="settle")
    execution.step("charge", note, file, "charge")
    answer = execution.signal("approval")
    numbers = execution.map("ship", ship, [{"file": file, "number": n} for n in (1, 2)])
    execution.step("mail", note, file, "mail")
    return {"text": f"{answer} {numbers}", "code": "1"}
"""
CODE = '    code = fields.String(data_key="Code", required=True)\n'


def replaced(text, *changes):
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


def version(number, body, inputs="", outputs=CODE):
    return SERVICE.format(version=number, inputs=inputs, outputs=outputs, body=body)


INSERTED = replaced(
    FIRST,
    (
        '    execution.step("charge"',
        '    execution.step("check stock", note, file, "check stock")\n    execution.step("charge"',
    ),
)
REMOVED = replaced(INSERTED, ('    execution.step("audit", note, file, "audit")\n', ""))
PRICE, RESERVE = (
    f'    execution.step("{name}", note, file, "{name}")\n' for name in ("price", "reserve")
)
SWAPPED = replaced(REMOVED, (PRICE + RESERVE, RESERVE + PRICE))
RENAMED = replaced(
    SWAPPED,
    (
        'execution.step("charge", note, file, "charge")',
        'execution.step("pay", note, file, "charge", formerly="charge")',
    ),
)
LAST = replaced(
    RENAMED,
    (', "code": "1"}', "}"),
    ("{answer} {numbers}", "{request['channel'] or answer} {numbers}"),
)
CHANNEL = '    channel = fields.String(data_key="Channel", required=True)\n'
VERSIONS = [
    version(1, FIRST),
    version(2, INSERTED),
    version(3, REMOVED),
    version(4, SWAPPED),
    version(5, RENAMED),
    version(6, LAST, inputs=CHANNEL, outputs=""),
]


@pytest.fixture
def deploys(tmp_path):
    deploys = Deploys(tmp_path)
    try:
        yield deploys
    finally:
        deploys.atom.close()


def begin(deploys, count):
    """Start flows; return each with the file of its lines and its execution id."""
    directory, orders = deploys.atom.directory, []
    for _ in range(count):
        file = directory / f"lines{len(list(directory.glob('lines*')))}"
        file.touch()
        flow = deploys.atom.run("Order", {"File": str(file)}, service="Shop")
        orders.append((flow, file, deploys.atom.execution_of(flow).id))
    return orders


def reach(deploys, execution_id, kind, name):
    """Wait until an execution is suspended at an entry."""

    def is_there():
        wait = deploys.atom.store.get(execution_id).wait
        return wait is not None and (wait.kind, wait.name) == (kind, name)

    until(is_there, f"{name} of {execution_id}", 120)


def approve(deploys, orders):
    """Lead orders from the signal to the map."""
    for _, _, execution_id in orders:
        reach(deploys, execution_id, WaitKind.SIGNAL, "approval")
        deploys.atom.store.signal(execution_id, "approval", '"yes"', None)
    for _, _, execution_id in orders:
        reach(deploys, execution_id, WaitKind.CHILDREN, "ship")


def pack(deploys, orders):
    """Lead orders from the map to their end."""
    store = deploys.atom.store
    for _, _, execution_id in orders:
        for child in store.children(execution_id):
            store.signal(child.id, "packed", "1", None)


def check_completed(deploys, orders):
    for flow, file, execution_id in orders:
        outputs, faults = resumed(flow)
        assert (outputs["Text"], faults) == ("yes [1, 2]", {}), execution_id
        lines = Counter(file.read_text().splitlines())
        assert set(lines.values()) == {1}, (execution_id, lines)
        assert {"price", "reserve", "charge", "pack 1", "pack 2", "mail"} <= set(lines)
        assert deploys.atom.store.get(execution_id).state is State.COMPLETED


@pytest.mark.timeout(900)
def test_six_versions_in_a_row_complete_every_execution_and_repeat_no_step(deploys):
    deploys.start(VERSIONS[0])
    orders, newly_run = begin(deploys, 200), {}
    stages = [orders[start : start + 40] for start in range(0, 200, 40)]
    for stage, text in zip(stages, VERSIONS[1:], strict=True):
        # At each deploy some map, some wait for their signal, and some sleep.
        approve(deploys, stage)
        at_map = [execution_id for _, _, execution_id in stage]
        stage += begin(deploys, 2)
        newly_run |= predict(deploys, text, at_map)
        deploys.deploy(text)
        pack(deploys, stage[:20])
    for stage in stages:
        approve(deploys, stage[40:])
        pack(deploys, stage[20:])
        check_completed(deploys, stage)
    assert "check stock" in newly_run.values()
    for execution_id, name in newly_run.items():
        steps = [step.name for step in deploys.atom.store.get(execution_id).steps]
        assert name in steps, execution_id


def predict(deploys, text, at_map):
    """Check the forecasts before a deploy; return the entries that would newly run, by execution.

    Before the first deploy, the executions at their map miss a step that every later version has.
    The code of the third version and of later ones does not ask for the record of another step.
    """
    code, forecasts = deploys.forecasts(text)
    assert code == 0, [each for each in forecasts.values() if each["reason"]]
    for execution_id in at_map:
        forecast = forecasts[execution_id]
        if text == VERSIONS[1]:
            assert forecast["prediction"] == "runs_new_entry"
            assert forecast["entry"] == {"name": "check stock", "occurrence": 1}
        else:
            assert forecast["prediction"] == "continues"
            steps = [step.name for step in deploys.atom.store.get(execution_id).steps]
            audits = [{"name": "audit", "occurrence": 1}] * steps.count("audit")
            assert forecast["not_reached"] == audits
    return {
        execution_id: forecast["entry"]["name"]
        for execution_id, forecast in forecasts.items()
        if forecast["entry"]
    }


OTHER_KIND = replaced(
    FIRST,
    ('answer = execution.signal("approval")', 'answer = execution.step("approval", lambda: "no")'),
)
OTHER_ITEMS = replaced(FIRST, ("for n in (1, 2)", "for n in (1, 2, 3)"))


OTHER_FUNCTION = replaced(
    version(2, FIRST),
    ("def note(", "def refund(file, line): pass\n\n\ndef note("),
    ('step("charge", note,', 'step("charge", refund,'),
)
NO_FUNCTION = replaced(version(2, FIRST), ("def ship(", "def send("), (", ship, [", ", send, ["))


@pytest.mark.parametrize(
    ("text", "is_mapping", "problem"),
    [
        (
            version(2, OTHER_KIND),
            False,
            "“approval” (occurrence 1) is recorded as a wait for a signal, and the code asks for a "
            "step.",
        ),
        (
            OTHER_FUNCTION,
            False,
            "is recorded as a step of note, and the code asks for a step of refund.",
        ),
        (
            version(2, OTHER_ITEMS),
            True,
            "is recorded as a map over 2 items, and the code asks for a map over 3 other items.",
        ),
        (
            NO_FUNCTION,
            True,
            "has no function “versioned:ship”, with which the items of a map were started.",
        ),
    ],
    ids=["another kind", "another function", "other items", "no function"],
)
@pytest.mark.timeout(300)
def test_change_that_does_not_fit_holds_executions_until_a_rollback(
    deploys, text, is_mapping, problem
):
    deploys.start(VERSIONS[0])
    store, orders = deploys.atom.store, begin(deploys, 3)
    for _, _, execution_id in orders:
        reach(deploys, execution_id, WaitKind.SIGNAL, "approval")
    if is_mapping:
        approve(deploys, orders)
    code, forecasts = deploys.forecasts(text)
    held = {key: each["reason"] for key, each in forecasts.items() if each["prediction"] == "held"}
    assert (code, held.keys() >= {each for _, _, each in orders}) == (1, True)
    deploys.deploy(text)
    if is_mapping:
        pack(deploys, orders)
    else:
        for _, _, execution_id in orders:
            store.signal(execution_id, "approval", '"yes"', None)
    execution = until(lambda: next(iter(store.held(10)), None), "a held execution", 60)
    assert problem in execution.error
    assert execution.error.startswith(held[execution.id])
    assert "deploy a mended version, or roll back" in execution.error
    check_shown(deploys.atom, execution.id, problem)
    assert not any(flow.status.is_over for flow, _, _ in orders)
    code, forecasts = deploys.forecasts(VERSIONS[0])
    assert (code, {each["prediction"] for each in forecasts.values()}) == (0, {"continues"})
    deploys.deploy(VERSIONS[0])
    if not is_mapping:
        for _, _, execution_id in orders:
            reach(deploys, execution_id, WaitKind.CHILDREN, "ship")
        pack(deploys, orders)
    check_completed(deploys, orders)
    assert store.held(10) == []


def check_shown(atom, execution_id, problem):
    """Check that the CLI shows a held execution and both sides of the difference."""
    assert problem in command(atom, "executions", "show", execution_id)
    assert execution_id in command(atom, "executions", "list", "--held")
    status = " ".join(command(atom, "status", code=1).split())
    assert "held: their journal does not fit the code of the workers" in status


def dumps(atom):
    """Return the serialized value of every key in Redis."""
    with redis.Redis.from_url(atom.redis.url) as client:
        return {key: client.dump(key) for key in client.scan_iter("*", 1000)}


@pytest.mark.timeout(300)
def test_check_of_what_is_in_flight_reports_each_action_and_changes_nothing(deploys):
    deploys.start(VERSIONS[0])
    orders = begin(deploys, 2)
    for _, _, execution_id in orders:
        reach(deploys, execution_id, WaitKind.SIGNAL, "approval")
    approve(deploys, orders[1:])
    for role in ("worker", "callbacks", "recovery", "listener"):
        assert deploys.atom.end(role) == 0
    lines = [file.read_text() for _, file, _ in orders]
    before = dumps(deploys.atom)
    code, output = deploys.check(VERSIONS[2])
    assert code == 0
    assert "Shop.Order: 2 unfinished execution(s)" in output
    assert (
        "2  would newly run an entry that stands before recorded entries: “check stock”" in output
    )
    assert "Shop.Order (item of a map): 2 unfinished execution(s)\n      2  continue" in output
    code, output = deploys.check(OTHER_FUNCTION)
    assert code == 1
    assert "      2  would be held: The journal does not fit the code: “charge”" in output
    assert "Replayed 4 unfinished execution(s): 2 would continue, 2 would not." in output
    code, output = deploys.check(VERSIONS[0], "--limit", "1", "--service", "Shop")
    assert (code, "3 older execution(s) were not checked" in output) == (0, True)
    assert deploys.check(VERSIONS[0], "--service", "Other")[0] == 1
    assert dumps(deploys.atom) == before
    assert [file.read_text() for _, file, _ in orders] == lines
