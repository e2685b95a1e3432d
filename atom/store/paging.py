"""Pages of the history: places in it, and what begins and ends a page."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

from atom.history import Page
from atom.records import Execution


class Place(NamedTuple):
    """Where an execution stands in an index: they are in the order of these."""

    accepted_ms: int
    id: str

    def __str__(self) -> str:
        return f"{self.accepted_ms}-{self.id}"

    @property
    def moment(self) -> datetime:
        """When what stands there was accepted."""
        return datetime.fromtimestamp(self.accepted_ms / 1000, UTC)


def place_of(execution: Execution) -> Place:
    """Where it stands."""
    return Place(round(execution.accepted_at.timestamp() * 1000), execution.id)


def read_place(text: str) -> Place | None:
    """What `Page.older` said; anything else is as if nothing had been said."""
    accepted_ms, _, execution_id = text.partition("-")
    is_one = accepted_ms.isascii() and accepted_ms.isdigit() and execution_id
    return Place(int(accepted_ms), execution_id) if is_one else None


def first_of(found: Sequence[Execution], limit: int) -> Page:
    """A page of what was found, which is all there is, or more than fits."""
    shown = found[:limit]
    return Page(shown, str(place_of(shown[-1])) if len(found) > limit else "", _beginning(shown))


def first_until(found: Sequence[Execution], looked_at: Place) -> Page:
    """A page of what was found, which may be few, where older ones were not looked at."""
    return Page(found, str(looked_at), _beginning(found), looked_at.moment)


def merged(near: Page, far: Page, limit: int) -> Page:
    """One page of two, each of which has the first of a part; in both of them, `near` counts."""
    ends = [place for place in (read_place(near.older), read_place(far.older)) if place]
    known = {each.id: each for each in (*far.executions, *near.executions)}
    found = sorted(known.values(), key=place_of, reverse=True)
    if not ends:
        return first_of(found, limit)
    # Of what is older than that not everything was read.
    end = max(ends)
    read = [each for each in found if place_of(each) >= end]
    if len(read) > limit:
        return first_of(read, limit)
    page = first_until(read, end)
    return page if len(read) < limit else replace(page, looked_back_to=None)


def _beginning(found: Sequence[Execution]) -> str:
    """The place just before that of the first one: nothing lies between an id and that with "~"."""
    return f"{place_of(found[0])}~" if found else ""
