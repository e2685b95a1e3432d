"""The second version: other inputs and outputs, an action more and one less."""

from atom import FlowService, Profile, fields

orders = FlowService("Orders", summary="Orders that somebody approves", version="2")


class Order(Profile):
    number = fields.String(data_key="Number", required=True)
    amount = fields.Decimal(data_key="Amount")
    region = fields.String(data_key="Region", required=True)
    steps = fields.String(data_key="Steps", required=True)


class Receipt(Profile):
    id = fields.String(data_key="ID", required=True)
    total = fields.Decimal(data_key="Total", required=True)
    region = fields.String(data_key="Region")
    amount = fields.String(data_key="Amount")


def reserve(request):
    note_step(request, "reserve")
    return {"id": f"R-{request['number']}", "total": request["amount"]}


def note_step(request, step):
    with open(request["steps"], "a") as lines:
        lines.write(f"{request['number']} {step}\n")


@orders.message_action("Order", request=Order, response=Receipt)
def order(request, execution):
    receipt = execution.step("reserve", reserve, request)
    execution.signal("approved")
    execution.step("book", note_step, request, "book")
    region = request["region"] or f"none, from version {execution.version}"
    return {**receipt, "amount": str(request["amount"]), "region": region}


@orders.message_action("Ship", request=Order, response=Receipt)
def ship(request, execution):
    return {"id": request["number"], "total": 0}
