"""Addresses, hosts, networks and URLs as settings write them."""

import ipaddress
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from atom.errors import SettingsError
from atom.networks import LOOPBACK, as_address, kind_of

# Where the platform documents that its flows live.
FLOW_HOSTS: Final = (
    "flow.boomi.com",
    "us.flow-prod.boomi.com",
    "ca.flow-prod.boomi.com",
    "eu.flow-prod.boomi.com",
    "gb.flow-prod.boomi.com",
    "au.flow-prod.boomi.com",
    "sg.flow-prod.boomi.com",
    "flow.manywho.com",
)

# Before a host that callbacks may go to without TLS.
PLAIN: Final = "http://"


def split_bind(variable: str, bind: str) -> tuple[str, int]:
    """Take `host:port` (or `[::1]:port`) apart.

    Raises:
        SettingsError: naming the variable.
    """
    host, _, port = bind.rpartition(":")
    if not host or not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise SettingsError(f"{variable} must be host:port, such as 127.0.0.1:8077, not {bind!r}.")
    return host.strip("[]"), int(port)


def reached_at(bind: str) -> str:
    """Where this machine reaches what listens at an address: one that is none is all of them."""
    host, _, port = bind.rpartition(":")
    return f"127.0.0.1:{port}" if host in ("0.0.0.0", "[::]") else bind  # noqa: S104 (read)


def is_from(origin: str | None, host: str) -> bool:
    """Whether a page of this host has sent a request; what is no browser says no Origin."""
    return origin is None or origin.partition("://")[2] == host


def is_loopback(host: str) -> bool:
    """Whether a host is this machine and nobody else's way to it."""
    if host.lower() == "localhost":
        return True
    address = as_address(host)
    return address is not None and kind_of(address, LOOPBACK) is not None


def check_url(variable: str, url: str) -> None:
    """Refuse what is neither empty nor a URL of HTTP.

    Raises:
        SettingsError: naming the variable, and not the URL, which may hold a password.
    """
    parts = urlsplit(url)
    if url and not (parts.scheme in ("http", "https") and parts.netloc):
        raise SettingsError(f"{variable} must be a URL that begins with http:// or https://.")


def check_hosts(variable: str, hosts: Iterable[str]) -> None:
    """Refuse what is neither a host nor host:port.

    Raises:
        SettingsError: naming the variable.
    """
    for host in hosts:
        if not re.fullmatch(rf"({PLAIN})?[\w.:\[\]-]+/?", host.strip().lower(), re.ASCII):
            raise SettingsError(
                f"{variable}: {host!r} is neither a host nor host:port (no path, no wildcard; a "
                "scheme only where it is http)."
            )


def check_networks(variable: str, networks: Iterable[str]) -> None:
    """Refuse what is no network.

    Raises:
        SettingsError: naming the variable.
    """
    for network in networks:
        try:
            ipaddress.ip_network(network.strip())
        except ValueError as error:
            raise SettingsError(
                f"{variable}: {network!r} is not a network such as 10.20.0.0/16: {error}."
            ) from None
