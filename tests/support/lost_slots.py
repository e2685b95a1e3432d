"""A service whose tasks leave their thread, or stay in it for longer than they may."""

import os
import sys
import time

from celery import signals

from atom import FlowService, Profile, fields

slots = FlowService("Slots", summary="Tasks that take slots")


class Asked(Profile):
    file = fields.String(data_key="File")
    password = fields.Password(data_key="Password")


class Text(Profile):
    text = fields.String(data_key="Text")


@slots.message_action("Lose the slot", request=Asked, response=Text)
def lose_slot(request, execution):
    """End as usual; the slot is lost afterwards, outside of our own code."""
    return {"text": "done"}


@slots.message_action("Stay", request=Asked, response=Text)
def stay(request, execution):
    """Run until the file exists, whatever else happens."""
    while not os.path.exists(request["file"]):
        time.sleep(0.05)
    return {"text": "done"}


@signals.task_postrun.connect(weak=False)
def leave(sender=None, **_):
    if sender.name == "Slots.Lose the slot":
        sys.exit("canary-of-a-handler")
