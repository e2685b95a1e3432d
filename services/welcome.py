"""A service to start from: change it, or put your own beside it and name it in ATOM_SERVICES."""

import time

from marshmallow import validate

from atom import Fault, FlowService, Profile, fields

welcome = FlowService("Welcome", summary="A first service")


class GreetRequest(Profile):
    """Whom to greet."""

    name = fields.String(data_key="Name", required=True)


class GreetResponse(Profile):
    """What was said."""

    greeting = fields.String(data_key="Greeting")


@welcome.message_action("Greet", request=GreetRequest, response=GreetResponse)
def greet(request, execution):
    """Answer soon."""
    if request["name"] == "Nobody":
        raise Fault("Nobody is there to be greeted.", name="NobodyThere")
    return {"greeting": f"Hello, {request['name']}!"}


class CountRequest(Profile):
    """How far."""

    steps = fields.Integer(
        data_key="Steps", required=True, validate=validate.Range(min=1, max=1000)
    )


class CountResponse(Profile):
    """How far it came, and in how many attempts."""

    counted = fields.Integer(data_key="Counted")
    attempts = fields.Integer(data_key="Attempts")


@welcome.message_action(
    "Count", request=CountRequest, response=CountResponse, wait_message="Counting…"
)
def count(request, execution):
    """Take a second for each step; a worker that dies meanwhile loses the last one at most."""
    total = request["steps"]
    for number in range(1, total + 1):
        execution.step(f"second {number}", time.sleep, 1)
        execution.progress(f"{number} of {total}", number / total)
    return {"counted": total, "attempts": execution.attempt}
