"""The first version of a service that tests deploy, upgrade and roll back."""

from atom import FlowService, Profile, fields

orders = FlowService("Orders", summary="Orders that somebody approves", version="1")


class Order(Profile):
    number = fields.String(data_key="Number", required=True)
    amount = fields.String(data_key="Amount")
    steps = fields.String(data_key="Steps", required=True)


class Receipt(Profile):
    id = fields.String(data_key="ID", required=True)
    note = fields.String(data_key="Note")
    amount = fields.String(data_key="Amount")


def reserve(request):
    note_step(request, "reserve")
    return {"id": f"R-{request['number']}", "note": "by version 1"}


def note_step(request, step):
    with open(request["steps"], "a") as lines:
        lines.write(f"{request['number']} {step}\n")


@orders.message_action("Order", request=Order, response=Receipt)
def order(request, execution):
    receipt = execution.step("reserve", reserve, request)
    execution.signal("approved")
    execution.step("book", note_step, request, "book")
    return {**receipt, "amount": request["amount"]}


@orders.message_action("Count", request=Order, response=Receipt)
def count(request, execution):
    execution.signal("approved")
    return {"id": request["number"], "note": "by version 1"}
