"""The address of a client behind proxies, as far as these are trusted."""

import ipaddress
import re
from collections.abc import Iterable
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# `192.0.2.1:4711`, `[2001:db8::1]:4711` or `[2001:db8::1]`, as some proxies write it.
_WITH_PORT: Final = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<four>[^:]*))(?::\d+)?")


class TrustedProxies:
    """WSGI middleware that sets REMOTE_ADDR and the URL scheme from the headers of trusted proxies.

    Each proxy appends the address of its own peer to `X-Forwarded-For`. So the header is read from
    the right, and only as long as the address read so far is that of a trusted proxy. What is
    further left came from the client itself and may be made up.
    """

    def __init__(self, app: WSGIApplication, networks: Iterable[str]) -> None:
        """Wrap the app.

        Args:
            app: sees the client's address in place of the proxy's.
            networks: those of the trusted proxies.
        """
        self._app = app
        self._networks = [ipaddress.ip_network(network.strip()) for network in networks]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        """Serve one request."""
        peer = _parsed(environ.get("REMOTE_ADDR", ""))
        if peer is not None and self._trusts(peer):
            forwarded = environ.get("HTTP_X_FORWARDED_FOR", "")
            environ["REMOTE_ADDR"] = str(self._client(peer, forwarded))
            scheme = environ.get("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip().lower()
            if scheme in ("http", "https"):
                environ["wsgi.url_scheme"] = scheme
        return self._app(environ, start_response)

    def _client(self, peer: _Address, forwarded: str) -> _Address:
        client = peer
        for entry in reversed(forwarded.split(",")):
            address = _parsed(entry.strip())
            if address is None or not self._trusts(client):
                break
            client = address
        return client

    def _trusts(self, address: _Address) -> bool:
        return any(address in network for network in self._networks)


def _parsed(text: str) -> _Address | None:
    """Return the address, without port and brackets, or None if it is not an address."""
    parts = _WITH_PORT.fullmatch(text)
    if parts:
        text = parts["six"] or parts["four"] or ""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address
