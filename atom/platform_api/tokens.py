"""Tokens by which a client goes on: what was asked, so that nothing is kept of it here."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import orjson

from atom.errors import InvalidRequest


def write(content: Mapping[str, Any]) -> str:
    """A token that says this; it may stand in a URL."""
    return base64.urlsafe_b64encode(orjson.dumps(content)).decode()


def read(token: str) -> Mapping[str, Any]:
    """What a token says. Whoever made one by hand may ask for no more than by a query.

    Raises:
        InvalidRequest: it is none of ours.
    """
    try:
        content = orjson.loads(base64.b64decode(token, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        content = None
    if not isinstance(content, Mapping):
        raise InvalidRequest("That is no token of ours; send back the one you got, as it came.")
    return content
