"""Hosts that are network namespaces of this machine, with a router between them that can be cut.

This machine is a host as well, at `address`: what must be reached from the others listens there.
Needs root and iproute2.
"""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

_ROUTER = "router"


class HostsRefused(Exception):
    """Network namespaces cannot be made here; the text says why."""


class Hosts:
    """The named hosts, from `make` to `remove`.

    Each has a network of its own, of two addresses, to the router. The names of namespaces and
    interfaces and the addresses carry the process id, so two runs do not meet.
    """

    def __init__(self, *names: str) -> None:
        pid = os.getpid()
        self._prefix = f"atom{pid}"
        # 198.18.0.0/15 is for measurements between networks (RFC 2544): nobody's own.
        self._network = f"198.18.{pid % 256}"
        self._numbers = {name: number for number, name in enumerate(names, 1)}
        self._made: list[Sequence[str]] = []

    @property
    def address(self) -> str:
        """Where the other hosts reach this machine."""
        return self._address(0)

    def on(self, name: str) -> Sequence[str]:
        """What a command has to be preceded by to run on a host."""
        return ("ip", "netns", "exec", self._namespace(name))

    @contextmanager
    def cut_off(self, name: str) -> Iterator[None]:
        """Drop, without a word to anybody, whatever comes from that host or goes to it."""
        address = self._address(self._numbers[name])
        rules = [("from", address, "blackhole"), ("to", address, "blackhole")]
        for rule in rules:
            self._ip(_ROUTER, "rule", "add", *rule)
        try:
            yield
        finally:
            for rule in rules:
                self._ip(_ROUTER, "rule", "delete", *rule)

    def make(self) -> None:
        """Make all of them, or none.

        Raises:
            HostsRefused: that is not possible here.
        """
        if os.geteuid() != 0:
            raise HostsRefused("only root can make network namespaces")
        try:
            self._make_all()
        except BaseException:
            self.remove()
            raise

    def remove(self) -> None:
        """In the opposite order; what cannot be removed keeps nothing else from it."""
        for command in reversed(self._made):
            subprocess.run(command, capture_output=True, check=False, timeout=20)
        self._made.clear()

    def _make_all(self) -> None:
        self._make_namespace(_ROUTER)
        _run(*self.on(_ROUTER), "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        self._join(0, None)
        _run("ip", "route", "add", f"{self._network}.0/24", "via", self._gateway(0))
        for name, number in self._numbers.items():
            self._make_namespace(name)
            self._join(number, name)
            self._ip(name, "route", "add", "default", "via", self._gateway(number))

    def _make_namespace(self, name: str) -> None:
        _run("ip", "netns", "add", self._namespace(name))
        self._made.append(("ip", "netns", "delete", self._namespace(name)))
        self._ip(name, "link", "set", "lo", "up")

    def _join(self, number: int, name: str | None) -> None:
        """Lay a cable from the router to a host, or to this machine."""
        here, there = f"{self._prefix}-{number}", f"{self._prefix}r{number}"
        self._ip(_ROUTER, "link", "add", there, "type", "veth", "peer", "name", here)
        if name is None:
            self._ip(_ROUTER, "link", "set", here, "netns", str(os.getpid()))
            self._made.append(("ip", "link", "delete", here))
        else:
            self._ip(_ROUTER, "link", "set", here, "netns", self._namespace(name))
        ends = ((_ROUTER, there, self._gateway(number)), (name, here, self._address(number)))
        for place, interface, address in ends:
            self._ip(place, "address", "add", f"{address}/30", "dev", interface)
            self._ip(place, "link", "set", interface, "up")

    def _ip(self, name: str | None, *words: str) -> None:
        where = () if name is None else ("-netns", self._namespace(name))
        _run("ip", *where, *words)

    def _namespace(self, name: str) -> str:
        return f"{self._prefix}-{name}"

    def _gateway(self, number: int) -> str:
        return f"{self._network}.{4 * number + 1}"

    def _address(self, number: int) -> str:
        return f"{self._network}.{4 * number + 2}"


def _run(*command: str) -> None:
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    except FileNotFoundError:
        raise HostsRefused(f"there is no {command[0]} (Debian: iproute2)") from None
    if result.returncode:
        raise HostsRefused(f"{' '.join(command)}: {result.stderr.strip()}")
