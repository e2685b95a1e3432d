"""Whether a caller is of the inside network: some paths are for it alone.

What they tell is no secret, but nobody's business either: names, counts, what is out of order. It
is decided by where the connection comes from: an address that the internet cannot route to. A
proxy connects from such an address as well, for whoever asked it; by convention it says so in a
header, and then the caller counts as from outside. A balancer that passes connections on and says
nothing has to keep these paths to itself.
"""

from collections.abc import Iterable
from typing import Final

from flask import request
from werkzeug.exceptions import NotFound

from atom.networks import UNROUTABLE, as_address, kind_of, unmapped

_OF_A_PROXY: Final = frozenset(
    {"forwarded", "via", "x-real-ip", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"}
)


def is_inside(peer: str | None, headers: Iterable[str]) -> bool:
    """Whether the caller at the other end of the connection, with headers of these names, is."""
    address = as_address(peer or "")
    if address is None or kind_of(unmapped(address), UNROUTABLE) is None:
        return False
    return _OF_A_PROXY.isdisjoint(map(str.lower, headers))


def only_for_inside() -> None:
    """To be called before a request is answered: to others there is nothing at its path.

    Raises:
        NotFound: the caller is from outside.
    """
    if not is_inside(request.remote_addr, request.headers.keys()):
        raise NotFound
