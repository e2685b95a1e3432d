"""Networks with a meaning of their own, and the normal form in which addresses are judged.

Written out, since the `is_…` properties of the standard library differ from one version of Python
to the next: on 3.13, unlike before, `::ffff:127.0.0.1` is a loopback address.
"""

import ipaddress
from collections.abc import Iterable
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def network_table(*rows: tuple[str, str]) -> tuple[tuple[Network, str], ...]:
    """Read a table of networks and the word for each."""
    return tuple((ipaddress.ip_network(network), kind) for network, kind in rows)


LOOPBACK: Final = network_table(("127.0.0.0/8", "loopback"), ("::1/128", "loopback"))

# Networks to which the internet has no route.
UNROUTABLE: Final = (
    *LOOPBACK,
    *network_table(
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared by a carrier"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "documentation"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("::/128", "unspecified"),
        ("2001:db8::/32", "documentation"),
        ("3fff::/20", "documentation"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
    ),
)


def as_address(text: str) -> Address | None:
    """Read an address; None if the text is not one."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def unmapped(address: Address) -> Address:
    """Return the IPv4 address that an IPv4-mapped IPv6 address stands for, else the address."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def kind_of(address: Address, table: Iterable[tuple[Network, str]]) -> str | None:
    """Return the word for the first network that the address, as it is, belongs to."""
    return next((kind for network, kind in table if address in network), None)
