"""A service that logs and prints in every way, so that tests find all of it again."""

import logging
import os
import signal
import threading

import structlog

from atom import Fault, FlowService, Profile, Retry, fields

talkative = FlowService("Talkative", summary="Says what it does")

FORGED = '\n2026-01-01T00:00:00.000Z ERROR   atom.forged: forged\n{"level":"ERROR"}\r\x1b[2J'


class Told(Profile):
    pin = fields.Password(data_key="Pin")
    path = fields.String(data_key="Path")


class Text(Profile):
    text = fields.String(data_key="Text")


@talkative.message_action("Talk", request=Told, response=Text)
def talk(request, execution):
    """Each line names its execution in its text as well, to compare it with what it is said of."""
    pin = request["pin"]
    execution.log.info("own %s", execution.id)
    logging.getLogger("shop.orders").warning("logging %s, the pin is %s", execution.id, pin)
    structlog.get_logger("shop").info(f"structlog {execution.id}", pin=pin, order=5)
    print(f"printed {execution.id} {pin}")  # noqa: T201 (that is the carelessness)
    logging.getLogger("shop").debug("too small to be kept")
    logging.getLogger("shop" + FORGED).error("forged %s%s", execution.id, FORGED)
    stray = threading.Thread(target=logging.getLogger("stray").info, args=("from a thread",))
    stray.start()
    stray.join()
    execution.step("pack", lambda: logging.getLogger("shop").info("in a step %s", execution.id))
    return {"text": execution.id}


@talkative.message_action("Flood", response=Text)
def flood(request, execution):
    """More lines than are kept."""
    for number in range(500):
        execution.log.info("line %d", number)
    return {"text": "said"}


@talkative.message_action(
    "Break", request=Told, response=Text, retry=Retry(attempts=2, wait_seconds=0.1)
)
def broken(request, execution):
    raise RuntimeError(f"canary-reason {request['pin']}")


@talkative.message_action("Refuse", response=Text)
def refuse(request, execution):
    raise Fault("We are closed on Sundays.", name="Closed")


@talkative.message_action("Die once", response=Text)
def die_once(request, execution):
    """Be killed right after the first line of the first attempt."""
    execution.log.info("about to do it, attempt %d", execution.attempt)
    if execution.attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"text": "survived"}


@talkative.message_action("Step by step", response=Text)
def step_by_step(request, execution):
    execution.step("one", lambda: 1)
    execution.step("two", lambda: 2)
    return {"text": "done"}


@talkative.message_action("Large steps", response=Text)
def large_steps(request, execution):
    execution.step("large", lambda: "x" * 5_000)
    return {"text": "done"}


@talkative.message_action("Record secrets", request=Told, response=Text)
def record_secrets(request, execution):
    """Return the secret of the request from a step, as it is and within a text."""
    pin = request["pin"]
    execution.step("leaky", lambda: {"marked": pin, "text": f"it is {pin}", "list": [str(pin)]})
    return {"text": "done"}
