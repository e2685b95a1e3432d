"""The witness after a deploy whose code does not fit the journals of earlier executions."""

from atom import FlowService
from tests.support.witness import Asked, Told, part

misfit_witness = FlowService("Witness", version="2")


@misfit_witness.message_action("Work", request=Asked, response=Told)
def work(request, execution):
    execution.signal("one")


@misfit_witness.message_action("Asks", request=Asked, response=Told)
def asks(request, execution):
    execution.signal("one")


@misfit_witness.message_action("Maps", request=Asked, response=Told)
def maps(request, execution):
    execution.map("parts", part, [{"file": request["file"], "line": "other"}])


@misfit_witness.message_action("Cleans", request=Asked, response=Told)
def cleans(request, execution):
    return {"text": "done"}
