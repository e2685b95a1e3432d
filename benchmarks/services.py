"""The Flow Service that the benchmark calls; its processes do next to nothing."""

import os
import random
import time
from decimal import Decimal
from http.client import HTTPConnection
from typing import Any, Final

from atom import Execution, FlowService, Profile, UploadedFile, fields

REST_SECONDS: Final = 60.0
MAPPED: Final = 1000
ITEM_SECONDS: Final = 0.02

bench = FlowService("Bench", summary="What the benchmark calls")


class Line(Profile):
    sku = fields.String(data_key="Sku", required=True)
    quantity = fields.Integer(data_key="Quantity", required=True)


class EchoRequest(Profile):
    name = fields.String(data_key="Name", required=True)
    amount = fields.Decimal(data_key="Amount", required=True)
    express = fields.Boolean(data_key="Express")
    due = fields.DateTime(data_key="Due")
    lines = fields.List(fields.Nested(Line), data_key="Lines")


class EchoResponse(Profile):
    name = fields.String(data_key="Name")
    amount = fields.Decimal(data_key="Amount")
    express = fields.Boolean(data_key="Express")
    due = fields.DateTime(data_key="Due")
    pieces = fields.Integer(data_key="Pieces")
    lines = fields.List(fields.Nested(Line), data_key="Lines")


@bench.message_action("Echo", request=EchoRequest, response=EchoResponse)
def echo(request: dict[str, Any], execution: Execution) -> dict[str, Any]:
    """Return what was sent, and how many pieces it adds up to."""
    return {**request, "pieces": sum(line["quantity"] for line in request["lines"])}


class StampResponse(EchoResponse):
    started = fields.String(data_key="Started")


@bench.message_action("Stamp", request=EchoRequest, response=StampResponse)
def stamp(request: dict[str, Any], execution: Execution) -> dict[str, Any]:
    """The same, and when it began: it ends at once, so that is when it ended as well.

    That clock is the same for all processes of a machine.
    """
    started = time.perf_counter()
    return {**echo(request, execution), "started": repr(started)}


class DigestRequest(EchoRequest):
    note = fields.String(data_key="Note")


@bench.message_action("Digest", request=DigestRequest, response=EchoResponse)
def digest(request: dict[str, Any], execution: Execution) -> dict[str, Any]:
    """Take a document of any size; the same for its first two lines."""
    request.pop("note", None)
    return echo({**request, "lines": request["lines"][:2]}, execution)


@bench.message_action("Sleep", request=EchoRequest, response=EchoResponse)
def sleep(request: dict[str, Any], execution: Execution) -> dict[str, Any]:
    """Wait for nothing for so long; then the same."""
    time.sleep(float(os.environ["BENCH_WAIT_SECONDS"]))
    return echo(request, execution)


@bench.message_action("Ask", request=EchoRequest, response=EchoResponse)
def ask(request: dict[str, Any], execution: Execution) -> dict[str, Any]:
    """Ask a server that takes its time, over a connection of one's own; then the same."""
    connection = HTTPConnection("127.0.0.1", int(os.environ["BENCH_SLOW_PORT"]), timeout=120)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
    finally:
        connection.close()
    return echo(request, execution)


@bench.message_action("Rest", request=EchoRequest, response=EchoResponse)
def rest(request: dict[str, Any], execution: Execution) -> dict[str, Any]:
    """Sleep without a worker, once or twice as long as the others; then the same."""
    execution.sleep(REST_SECONDS * random.uniform(1, 2))
    return echo(request, execution)


def item(number: int, execution: Execution) -> int:
    """Keep a worker for a while, in a step."""
    execution.step("nap", time.sleep, ITEM_SECONDS)
    return number


@bench.message_action("Map", request=EchoRequest, response=EchoResponse)
def map_items(request: dict[str, Any], execution: Execution) -> dict[str, Any]:
    """Map over many items; then the same."""
    numbers = execution.map("items", item, range(MAPPED), concurrency=16)
    if numbers != list(range(MAPPED)):
        raise ValueError("the results are not those of the items")
    return echo(request, execution)


class Thing(Profile):
    id = fields.String(data_key="ID")
    name = fields.String(data_key="Name")
    price = fields.Number(data_key="Price")


thing = bench.data_action("Thing", profile=Thing, key="id")


@thing.get
def get_thing(id: str, execution: Execution) -> dict[str, Any]:
    return {"id": id, "name": "Lamp", "price": Decimal("12.50")}


files = bench.file_resource("/file")


@files.upload
def upload(file: UploadedFile, execution: Execution) -> dict[str, Any]:
    """Read it to the end; its size is its description."""
    read = 0
    while chunk := file.read(2**20):
        read += len(chunk)
    return {"id": execution.id, "name": file.name, "description": str(read)}
