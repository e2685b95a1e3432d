"""Lets a worker of RabbitMQ think that a second is long: loaded as a service."""

import sys

from atom import FlowService

briefly = FlowService("Briefly", summary="Nothing to call")
intake = sys.modules.get("workers.intake")

if intake is not None:
    intake.LONG_SECONDS = 1.0
