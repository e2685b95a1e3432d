"""Orders: a long process that fulfils an order from a small warehouse.

The warehouse is a SQLite file that is seeded at first use. Each side effect is a step, and each is
written so that running it twice does no harm: a worker may die between doing and recording.
"""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from marshmallow import validate

from atom import Execution, Fault, FlowService, Profile, fields

DATABASE = Path(os.environ.get("ORDERS_DATABASE", ".atom/orders.sqlite3"))
# What calling a real warehouse would take.
PACE_SECONDS = float(os.environ.get("ORDERS_PACE_SECONDS", "0.7"))

STOCK = [
    ("LAMP-1", "Desk lamp", 40, "39.90"),
    ("CHAIR-7", "Office chair", 12, "249.00"),
    ("DESK-3", "Standing desk", 3, "599.50"),
    ("CABLE-9", "USB-C cable", 500, "8.25"),
]
EXPRESS_FEE = Decimal("14.90")

orders = FlowService("Orders", summary="Fulfils orders from a small warehouse")


class Customer(Profile):
    name = fields.String(data_key="Name", required=True)
    email = fields.Email(data_key="Email")


class OrderLine(Profile):
    sku = fields.String(data_key="Sku", required=True)
    quantity = fields.Integer(data_key="Quantity", required=True, validate=validate.Range(min=1))
    gift_wrap = fields.Boolean(data_key="Gift Wrap", load_default=False)


class FulfilRequest(Profile):
    number = fields.String(data_key="Order Number", required=True)
    customer = fields.Nested(Customer, data_key="Customer", required=True)
    lines = fields.List(
        fields.Nested(OrderLine),
        data_key="Lines",
        required=True,
        validate=validate.Length(min=1, error="an order needs at least one line"),
    )
    express = fields.Boolean(data_key="Express", load_default=False)
    ship_by = fields.DateTime(data_key="Ship By")


class Confirmation(Profile):
    number = fields.String(data_key="Order Number")
    customer = fields.String(data_key="Customer")
    items = fields.Integer(data_key="Items")
    total = fields.Decimal(data_key="Total")
    express = fields.Boolean(data_key="Express")
    arrives = fields.DateTime(data_key="Arrives")


class Parcel(Profile):
    sku = fields.String(data_key="Sku")
    description = fields.String(data_key="Description")
    quantity = fields.Integer(data_key="Quantity")
    price = fields.Decimal(data_key="Price")
    tracking = fields.String(data_key="Tracking")


class FulfilResponse(Profile):
    confirmation = fields.Nested(Confirmation, data_key="Confirmation", required=True)
    parcels = fields.List(fields.Nested(Parcel), data_key="Parcels", required=True)


@orders.message_action(
    "Fulfil",
    request=FulfilRequest,
    response=FulfilResponse,
    wait_message="Your order is on its way to the warehouse…",
    timeout=600,
)
def fulfil(request: dict[str, Any], execution: Execution) -> dict[str, Any]:
    """Check stock, reserve, price and ship an order, line by line."""
    lines = request["lines"]
    execution.progress(f"Checking the stock of {len(lines)} articles", 0.0)
    articles = execution.step("check stock", check_stock, lines)

    execution.progress("Everything is there; reserving it", 0.2)
    execution.step("reserve", reserve, execution.id, lines)

    total = execution.step("price", price, articles, express=request["express"])
    execution.progress(f"Reserved for {total} in all", 0.4)

    parcels = []
    for position, article in enumerate(articles, 1):
        execution.progress(
            f"Packing parcel {position} of {len(articles)}: {article['description']}",
            0.4 + 0.6 * position / len(articles),
        )
        parcels.append(execution.step(f"ship {article['sku']}", ship, execution.id, article))
    return {
        "confirmation": {
            "number": request["number"],
            "customer": request["customer"]["name"],
            "items": sum(line["quantity"] for line in lines),
            "total": total,
            "express": request["express"],
            "arrives": datetime.now(UTC) + timedelta(days=1 if request["express"] else 4),
        },
        "parcels": parcels,
    }


def check_stock(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The article of each line, or a fault that says what is missing."""
    time.sleep(PACE_SECONDS)
    articles = []
    with warehouse() as database:
        for line in lines:
            row = database.execute(
                "SELECT sku, description, price, stock - (SELECT COALESCE(SUM(quantity), 0) "
                "FROM reservation WHERE reservation.sku = article.sku) FROM article WHERE sku = ?",
                (line["sku"],),
            ).fetchone()
            if row is None:
                raise Fault(f"There is no article {line['sku']}.", name="UnknownArticle")
            sku, description, unit_price, left = row
            if left < line["quantity"]:
                raise Fault(
                    f"{description} is out of stock: {line['quantity']} ordered, {left} left.",
                    name="OutOfStock",
                )
            articles.append(
                {
                    "sku": sku,
                    "description": description,
                    "quantity": line["quantity"],
                    "price": Decimal(unit_price) * line["quantity"],
                }
            )
    return articles


def reserve(order_id: str, lines: list[dict[str, Any]]) -> None:
    """Set the goods aside, once for each order."""
    time.sleep(PACE_SECONDS)
    with warehouse() as database:
        database.executemany(
            "INSERT OR IGNORE INTO reservation (order_id, position, sku, quantity) "
            "VALUES (?, ?, ?, ?)",
            [(order_id, at, line["sku"], line["quantity"]) for at, line in enumerate(lines)],
        )


def price(articles: list[dict[str, Any]], *, express: bool) -> Decimal:
    """What the order costs."""
    goods = sum((article["price"] for article in articles), Decimal(0))
    return goods + (EXPRESS_FEE if express else 0)


def ship(order_id: str, article: dict[str, Any]) -> dict[str, Any]:
    """Hand a parcel over; the tracking number follows from the order, so it never changes."""
    time.sleep(PACE_SECONDS)
    return {**article, "tracking": f"TRK-{order_id[:8]}-{article['sku']}".upper()}


@contextmanager
def warehouse() -> Iterator[sqlite3.Connection]:
    """A transaction on the warehouse, which is built and stocked where there is none."""
    DATABASE.parent.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(DATABASE, timeout=10)
    try:
        with database:
            database.execute(
                "CREATE TABLE IF NOT EXISTS article "
                "(sku TEXT PRIMARY KEY, description TEXT, stock INTEGER, price TEXT)"
            )
            database.execute(
                "CREATE TABLE IF NOT EXISTS reservation (order_id TEXT, position INTEGER, "
                "sku TEXT, quantity INTEGER, PRIMARY KEY (order_id, position))"
            )
            database.executemany("INSERT OR IGNORE INTO article VALUES (?, ?, ?, ?)", STOCK)
            yield database
    finally:
        database.close()
