"""`atom …`: the roles, and what people ask of an Atom."""

from atom.cli.main import main

__all__ = ["main"]
