"""The listener: the thin web side that accepts a request, makes it durable and answers."""

from atom.listener.app import create_app
from atom.listener.authentication import Authenticator

__all__ = ["Authenticator", "create_app"]
