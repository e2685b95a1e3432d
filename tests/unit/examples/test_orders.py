"""The orders example, called as a plain function."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from atom import Fault, testing
from examples import orders


@pytest.fixture(autouse=True)
def warehouse(tmp_path, monkeypatch):
    """A warehouse of its own for each test, and no waiting."""
    monkeypatch.setattr(orders, "DATABASE", tmp_path / "orders.sqlite3")
    monkeypatch.setattr(orders, "PACE_SECONDS", 0.0)


def order(**lines):
    return {
        "number": "A-1",
        "customer": {"name": "Ada", "email": None},
        "lines": [
            {"sku": sku.replace("_", "-"), "quantity": quantity, "gift_wrap": False}
            for sku, quantity in lines.items()
        ],
        "express": True,
        "ship_by": None,
    }


def reserved():
    with orders.warehouse() as database:
        return database.execute("SELECT sku, quantity FROM reservation ORDER BY 1").fetchall()


def test_an_order_is_fulfilled_in_steps():
    journal = testing.MemoryJournal()
    result = orders.fulfil(order(LAMP_1=2, CABLE_9=4), testing.execution(journal))
    assert result["confirmation"]["total"] == Decimal("39.90") * 2 + Decimal("8.25") * 4 + Decimal(
        "14.90"
    )
    assert result["confirmation"]["items"] == 6
    assert result["confirmation"]["arrives"] > datetime.now(UTC)
    assert [parcel["sku"] for parcel in result["parcels"]] == ["LAMP-1", "CABLE-9"]
    assert [step.name for step in journal.steps] == [
        "check stock",
        "reserve",
        "price",
        "ship LAMP-1",
        "ship CABLE-9",
    ]
    assert journal.messages[0] == "Checking the stock of 2 articles"
    assert reserved() == [("CABLE-9", 4), ("LAMP-1", 2)]


def test_a_second_attempt_reserves_and_ships_nothing_twice():
    journal = testing.MemoryJournal()
    first = orders.fulfil(order(LAMP_1=2), testing.execution(journal))
    second = orders.fulfil(order(LAMP_1=2), testing.execution(journal, attempt=2))
    assert first["parcels"] == second["parcels"]
    assert reserved() == [("LAMP-1", 2)]


@pytest.mark.parametrize(
    ("lines", "name", "says"),
    [({"DESK_3": 4}, "OutOfStock", "4 ordered, 3 left"), ({"SOFA_1": 1}, "UnknownArticle", "SOFA")],
)
def test_what_cannot_be_fulfilled_is_a_fault_and_reserves_nothing(lines, name, says):
    with pytest.raises(Fault, match=says) as fault:
        orders.fulfil(order(**lines), testing.execution())
    assert fault.value.name == name
    assert reserved() == []


def test_the_result_fits_the_response_profile():
    process = orders.orders.processes["Fulfil"]
    outputs = process.dump(orders.fulfil(order(LAMP_1=1), testing.execution()))
    assert [each["developerName"] for each in outputs] == ["Confirmation", "Parcels"]


def test_the_decorated_function_is_still_a_plain_function():
    assert orders.orders.processes["Fulfil"].function is orders.fulfil
