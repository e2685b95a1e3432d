"""A list filter of the wire from the fields of a page."""

from collections.abc import Mapping
from typing import Any, Final

from atom.protocol.query_filter import Criteria

CRITERIA: Final = [each.value for each in Criteria]
CONDITIONS: Final = 4  # so many can be built on the page
_LIMIT: Final = 20


def list_filter(asked: Mapping[str, str]) -> dict[str, Any]:
    """What is asked for: `column0`, `criteria0`, `value0`, …, `together`, `order`, `limit`."""
    where = [
        {
            "columnName": asked[f"column{each}"],
            "criteriaType": asked.get(f"criteria{each}") or Criteria.EQUAL.value,
            "value": asked.get(f"value{each}", ""),
        }
        for each in range(CONDITIONS)
        if asked.get(f"column{each}")
    ]
    found: dict[str, Any] = {
        "comparisonType": "OR" if asked.get("together") == "OR" else "AND",
        "where": where,
        "limit": count(asked, "limit", _LIMIT),
        "offset": count(asked, "offset", 0),
    }
    if asked.get("order"):
        direction = "DESC" if asked.get("direction") == "DESC" else "ASC"
        found |= {
            "orderByPropertyDeveloperName": asked["order"],
            "orderByDirectionType": direction,
        }
    return found


def count(asked: Mapping[str, str], name: str, otherwise: int) -> int:
    """A number of a field; otherwise where it is none."""
    text = asked.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else otherwise
