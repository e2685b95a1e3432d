"""Where a callback may go: to which URI, and to which addresses behind its host's name."""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Self
from urllib.parse import urlsplit

from atom.endpoints import PLAIN, is_loopback
from atom.errors import InvalidRequest
from atom.networks import (
    LOOPBACK,
    UNROUTABLE,
    Address,
    Network,
    as_address,
    kind_of,
    network_table,
    unmapped,
)
from atom.settings import Settings

# What no flow platform on the internet has, with the word that explains it.
_FORBIDDEN: Final = (
    *UNROUTABLE,
    *network_table(
        ("192.88.99.0/24", "6to4 relay"),
        ("::/96", "IPv4-compatible"),
        ("64:ff9b:1::/48", "local NAT64"),
        ("2001::/32", "Teredo"),
        ("2001::/23", "reserved"),
        ("2002::/16", "6to4"),
    ),
)
_PUBLIC_IPV6: Final = ipaddress.IPv6Network("2000::/3")
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")

# A flow platform has few addresses to answer to.
_REMEMBERED: Final = 256

# Stricter than URLs are: no two parsers may read two different hosts.
_VISIBLE: Final = re.compile(r"[!-\[\]-~]+")
_AUTHORITY: Final = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::[0-9]{0,5})?")
# What the C library may take for an IPv4 address: 127.1, 2130706433, 0x7f.0.0.1, 0177.0.0.1 …
_NUMERIC: Final = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.*")


@dataclass(frozen=True, slots=True)
class CallbackPolicy:
    """Which hosts callbacks may go to, and in which networks beside the public ones."""

    hosts: frozenset[tuple[str, int | None]]  # a host without a port allows every port
    networks: tuple[Network, ...] = ()
    plain_hosts: frozenset[tuple[str, int | None]] = frozenset()  # those of `hosts` without TLS

    @classmethod
    def of(cls, hosts: Iterable[str], networks: Iterable[str] = ()) -> Self:
        """Read hosts, as `host`, `host:port` or `http://host:port`, and networks in CIDR."""
        listed = [each.strip().lower() for each in hosts]
        plain = [each.removeprefix(PLAIN) for each in listed if each.startswith(PLAIN)]
        return cls(
            frozenset(_host_entry(each.removeprefix(PLAIN)) for each in listed),
            tuple(ipaddress.ip_network(each.strip()) for each in networks),
            frozenset(map(_host_entry, plain)),
        )

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """What the operator allows."""
        return cls.of(settings.callback_hosts, settings.callback_networks)

    def check_uri(self, uri: str) -> None:
        """Refuse a callbackUri that leads anywhere but to a flow platform, as far as it shows.

        https to an allowed host, or plain http to an allowed loopback one and to one that the
        operator names as `http://…`. An address in place of a name is judged as `refusal` judges
        those behind a name.

        Raises:
            InvalidRequest: saying what is wrong with it.
        """
        scheme, host, port = _parted(uri)
        named = {(host, None), (host, port)}
        if scheme == "http" and not is_loopback(host) and not named & self.plain_hosts:
            raise InvalidRequest("callbackUri must be https (plain http is for loopback only).")
        if not named & self.hosts:
            shown = f"[{host}]" if ":" in host else host
            raise InvalidRequest(
                f"callbackUri: callbacks to {shown}:{port} are not allowed here; the operator "
                "allows a host by naming it in ATOM_CALLBACK_HOSTS."
            )
        refused = self.refusal(host, [host]) if _as_address(host) else None
        if refused:
            raise InvalidRequest(
                f"callbackUri: the address {refused} is not allowed here; the operator allows a "
                "network by naming it in ATOM_CALLBACK_NETWORKS."
            )

    def refusal(self, host: str, addresses: Sequence[str]) -> str | None:
        """The first of a host's addresses that callbacks may not go to, and why; None: they may.

        A host that is called loopback may lead to loopback only, any other to public addresses
        and to the allowed networks.
        """
        for each in addresses:
            address = _as_address(each)
            kind = "not an address" if address is None else self._kind(address, is_loopback(host))
            if kind:
                return f"{each} ({kind})"
        return None

    def _kind(self, address: Address, may_be_loopback: bool) -> str | None:
        """What is wrong with an address, in a word."""
        if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
            return "of one interface only"
        judged = _unwrapped(address)
        if may_be_loopback:
            return None if kind_of(judged, LOOPBACK) else "not loopback"
        if any(address in network or judged in network for network in self.networks):
            return None
        is_reserved = judged.version == 6 and judged not in _PUBLIC_IPV6
        return kind_of(judged, _FORBIDDEN) or ("reserved" if is_reserved else None)


@lru_cache(_REMEMBERED)
def _parted(uri: str) -> tuple[str, str, int]:
    """Scheme, host and port of a callbackUri; addresses in their usual spelling.

    Raises:
        InvalidRequest: it is none.
    """
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        raise InvalidRequest("callbackUri is not a valid URL.") from None
    if parts.scheme not in ("http", "https") or not parts.netloc or not _VISIBLE.fullmatch(uri):
        raise InvalidRequest("callbackUri must be an absolute https URL.")
    if "@" in parts.netloc:
        raise InvalidRequest("callbackUri may not carry credentials.")
    found = _AUTHORITY.fullmatch(parts.netloc.lower())
    literal, name = found.groups("") if found else ("", "")
    address = _as_address(literal or name)
    if literal:
        is_usual = isinstance(address, ipaddress.IPv6Address)
    else:
        is_usual = bool(name) and (address is not None or not _NUMERIC.fullmatch(name))
    if not is_usual or port == 0:
        raise InvalidRequest(
            "callbackUri is not a valid URL: host and port are not written in the usual way."
        )
    default = 443 if parts.scheme == "https" else 80
    return parts.scheme, str(address or name), default if port is None else port


def _host_entry(text: str) -> tuple[str, int | None]:
    text = text.rstrip("/")
    host, _, port = text.rpartition(":")
    # An IPv6 address without brackets has colons, and no port.
    if not port.isdecimal() or _as_address(text):
        host, port = text, ""
    host = host.strip("[]")
    return str(_as_address(host) or host), int(port) if port else None


_as_address = lru_cache(_REMEMBERED)(as_address)


def _unwrapped(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one stands for, if packets to it end up there."""
    if isinstance(address, ipaddress.IPv6Address) and address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return unmapped(address)
