"""The console: pages for people who look after an Atom. It shows; nothing here changes anything."""

from atom.console.app import create_app
from atom.console.login import Users

__all__ = ["Users", "create_app"]
