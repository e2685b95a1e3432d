"""What the trial of the containers runs: it says canaries wherever a process can say something."""

import logging
import time

from atom import Fault, FlowService, Profile, fields

trial = FlowService("Trial", summary="Of the containers")


class TellRequest(Profile):
    """What is told."""

    text = fields.String(data_key="Text", required=True)
    password = fields.Password(data_key="Password", required=True)


class TellResponse(Profile):
    """What is told back."""

    text = fields.String(data_key="Text")
    password = fields.Password(data_key="Password")


@trial.message_action("Tell", request=TellRequest, response=TellResponse)
def tell(request, execution):
    """Say everything, and twice."""
    execution.step("say", lambda: "canary-of-a-step")
    execution.progress("canary-of-progress")
    execution.log.info("the password is %s", request["password"])
    logging.getLogger("their.library").warning("it is %s", request["password"])
    print(request["password"])  # noqa: T201 (what is printed is logged)
    if request["text"] == "fault":
        raise Fault("canary-of-a-fault")
    return request


class CountRequest(Profile):
    """How far."""

    steps = fields.Integer(data_key="Steps", required=True)


class CountResponse(Profile):
    """In how many attempts."""

    attempts = fields.Integer(data_key="Attempts")


@trial.message_action("Count", request=CountRequest, response=CountResponse)
def count(request, execution):
    """A second for each step."""
    for number in range(1, request["steps"] + 1):
        execution.step(f"second {number}", time.sleep, 1)
        execution.progress(f"{number} of {request['steps']}")
    return {"attempts": execution.attempt}
