"""JSON whose integers keep all their digits.

orjson reads an integer beyond 64 bits as a float, which is another number.
"""

import json
import re
from typing import Any, Final

import orjson

from atom.protocol.wire import parse_json

_LONG_INTEGER: Final = re.compile(r"[0-9]{19}")


def parse_exactly(text: str) -> Any:
    """Parse a JSON document that `normal_json` wrote."""
    return json.loads(text) if _LONG_INTEGER.search(text) else orjson.loads(text)


def normal_json(body: bytes) -> str:
    """Return a JSON document in its shortest form.

    Raises:
        MalformedRequest: it is not JSON, nests too deeply, or has a number beyond a float's range.
    """
    document = parse_json(body)
    if not _LONG_INTEGER.search(body.decode()):
        return orjson.dumps(document).decode()
    return json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":"))
