"""The sandbox: a stand-in for the flow platform, for tests, the demo and `atom invoke`."""

from atom.sandbox.answers import Answer
from atom.sandbox.client import SandboxClient
from atom.sandbox.connector import Connector
from atom.sandbox.flows import Event, Flow, FlowStatus
from atom.sandbox.platform import Platform
from atom.sandbox.problems import SandboxError
from atom.sandbox.run_api import RunnableFlow
from atom.sandbox.server import SandboxServer, serve

__all__ = [
    "Answer",
    "Connector",
    "Event",
    "Flow",
    "FlowStatus",
    "Platform",
    "RunnableFlow",
    "SandboxClient",
    "SandboxError",
    "SandboxServer",
    "serve",
]
