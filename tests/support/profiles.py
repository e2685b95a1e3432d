"""What tests do with the source of a profile: run it, declare it, load a document through it."""

import json

from atom import FlowService
from atom.profile import entries_of


def made(source, name="Order"):
    """Run the source and return the profile."""
    space = {}
    exec(compile(source, "<profile>", "exec"), space)
    return space[name]


def declared(profile):
    """Declare with a profile all that can be declared with it; return its entries."""
    service = FlowService("S")
    action = service.message_action("A", request=profile, response=profile)
    action(lambda request, execution: None)
    service.describe()
    entries = entries_of(profile, "A")
    if not any(entry.content_type.is_structure for entry in entries):
        flat = FlowService("F")
        key = next(iter(profile().fields))
        flat.data_action("D", profile=profile, key=key).query(lambda query, execution: [])
        flat.describe()
    return entries


def on_the_wire(value):
    """Return a JSON value as a flow sends it: simple values as text, and no null in a list."""
    if isinstance(value, dict):
        return {name: on_the_wire(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [on_the_wire(inner) for inner in value if inner is not None]
    if isinstance(value, bool):
        return json.dumps(value)
    return value if value is None or isinstance(value, str) else str(value)
