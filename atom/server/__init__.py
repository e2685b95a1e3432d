"""The HTTP server of listener, console and sandbox.

gunicorn parses requests, writes answers and manages processes. The event loop and the threads are
our own, since no server that was found limits the time of each stage of a connection.
"""

from atom.server.gunicorn_app import Gunicorn, check_free
from atom.server.in_thread import ThreadServer
from atom.server.limits import Limits
from atom.server.traffic import TRAFFIC

__all__ = ["TRAFFIC", "Gunicorn", "Limits", "ThreadServer", "check_free"]
