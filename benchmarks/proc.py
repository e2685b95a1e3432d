"""Processor time, of process trees and of the machine, where the system tells it in /proc."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

_PROC: Final = Path("/proc")


class _Stat(NamedTuple):
    parent: int
    ticks: int


def tree_cpu_seconds(roots: Iterable[int]) -> float | None:
    """What these processes and all their descendants have used; None where there is no /proc.

    What ended meanwhile counts too, as long as its parent has waited for it.
    """
    if not (_PROC / "self" / "stat").exists():
        return None
    stats = _all_stats()
    members = set(roots) & stats.keys()
    found = members
    while found:
        found = {pid for pid, stat in stats.items() if stat.parent in found} - members
        members |= found
    return sum(stats[pid].ticks for pid in members) / os.sysconf("SC_CLK_TCK")


def machine_cpu_seconds() -> float | None:
    """What all the cores together were busy for or robbed of; None where there is no /proc."""
    try:
        first, _, _ = (_PROC / "stat").read_text().partition("\n")
    except OSError:
        return None
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, first.split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _all_stats() -> dict[int, _Stat]:
    stats = {}
    for folder in _PROC.iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            text = (folder / "stat").read_text(errors="replace")
        except OSError:  # it has just ended
            continue
        # The name, in parentheses, may hold anything; the fields after it are plain.
        fields = text.rpartition(")")[2].split()
        # utime, stime, and those of the children that were waited for (see proc(5)).
        stats[int(folder.name)] = _Stat(int(fields[1]), sum(map(int, fields[11:15])))
    return stats
