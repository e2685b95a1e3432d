"""The listener: the thin web side that accepts a request, makes it durable and answers."""

from atom.listener.app import create_app

__all__ = ["create_app"]
