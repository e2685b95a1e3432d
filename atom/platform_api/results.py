"""The envelopes that several answers come in."""

from collections.abc import Mapping, Sequence
from typing import Any


def query_result(results: Sequence[Mapping[str, Any]], token: str = "") -> dict[str, Any]:
    """One page of a query; the token asks for the next one."""
    found = {"@type": "QueryResult", "result": results, "numberOfResults": len(results)}
    return {**found, "queryToken": token} if token else found


def async_result(results: Sequence[Mapping[str, Any]], status: int) -> dict[str, Any]:
    """What became of an asynchronous operation; 202 while nothing has."""
    return {
        "@type": "AsyncOperationResult",
        "result": results,
        "numberOfResults": len(results),
        "responseStatusCode": status,
    }
