"""The Flow Service that the benchmark calls; its process does next to nothing."""

from typing import Any

from atom import Execution, FlowService, Profile, fields

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
