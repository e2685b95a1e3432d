"""A profile with every content type, nested three deep, and a document that fills it."""

from datetime import UTC, datetime

from atom import Profile, fields


class Leaf(Profile):
    text = fields.String(data_key="Text")
    number = fields.Number(data_key="Number")
    is_set = fields.Boolean(data_key="Set")
    time = fields.DateTime(data_key="Time")
    password = fields.Password(data_key="Password")
    content = fields.Content(data_key="Content")
    encrypted = fields.Encrypted(data_key="Encrypted")


class Branch(Leaf):
    leaf = fields.Nested(Leaf, data_key="Leaf")
    leaves = fields.List(fields.Nested(Leaf), data_key="Leaves")


class Tree(Leaf):
    branch = fields.Nested(Branch, data_key="Branch")
    branches = fields.List(fields.Nested(Branch), data_key="Branches")


def full_tree(text="leaf"):
    """Return a document for `Tree` in which every entry has a value."""
    leaf = {
        "text": text,
        "number": 2**70,
        "is_set": True,
        "time": datetime(2026, 1, 2, tzinfo=UTC),
        "password": "canary-of-a-password",
        "content": "<p>ü</p>",
        "encrypted": "canary-of-a-key",
    }
    branch = {**leaf, "leaf": leaf, "leaves": [leaf, leaf]}
    return {**leaf, "branch": branch, "branches": [branch, branch]}
