"""Pages of the history: what begins and ends one, and one of two."""

from collections.abc import Sequence
from dataclasses import replace

from atom.history import Page, Place
from atom.records import Execution


def first_of(found: Sequence[Execution], limit: int) -> Page:
    """A page of what was found, which is all there is, or more than fits."""
    shown = found[:limit]
    return Page(shown, str(Place.of(shown[-1])) if len(found) > limit else "", _beginning(shown))


def first_until(found: Sequence[Execution], looked_at: Place) -> Page:
    """A page of what was found, which may be few, where older ones were not looked at."""
    return Page(found, str(looked_at), _beginning(found), looked_at.moment)


def merged(near: Page, far: Page, limit: int) -> Page:
    """One page of two, each of which has the first of a part; in both of them, `near` counts."""
    ends = [place for place in (Place.read(near.older), Place.read(far.older)) if place]
    known = {each.id: each for each in (*far.executions, *near.executions)}
    found = sorted(known.values(), key=Place.of, reverse=True)
    if not ends:
        return first_of(found, limit)
    # Of what is older than that not everything was read.
    end = max(ends)
    read = [each for each in found if Place.of(each) >= end]
    if len(read) > limit:
        return first_of(read, limit)
    page = first_until(read, end)
    return page if len(read) < limit else replace(page, looked_back_to=None)


def _beginning(found: Sequence[Execution]) -> str:
    """The place just before that of the first one: nothing lies between an id and that with "~"."""
    return f"{Place.of(found[0])}~" if found else ""
