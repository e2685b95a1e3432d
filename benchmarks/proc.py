"""Processor time and memory of process trees, where the system tells it in /proc."""

import contextlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

_PROC: Final = Path("/proc")


class _Stat(NamedTuple):
    parent: int
    ticks: int
    pages: int


def tree_cpu_seconds(roots: Iterable[int]) -> float | None:
    """What these processes and all their descendants have used; None where there is no /proc.

    What ended meanwhile counts too, as long as its parent has waited for it.
    """
    if not (_PROC / "self" / "stat").exists():
        return None
    stats = _all_stats()
    return sum(stats[pid].ticks for pid in _tree(roots, stats)) / os.sysconf("SC_CLK_TCK")


def tree_memory_mb(roots: Iterable[int]) -> float | None:
    """What these processes and all their descendants hold in memory, in MiB.

    Pages that several share count for each of them; None where there is no /proc.
    """
    if not (_PROC / "self" / "stat").exists():
        return None
    stats = _all_stats()
    pages = sum(stats[pid].pages for pid in _tree(roots, stats))
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def tree_share_of_memory_mb(roots: Iterable[int]) -> float | None:
    """The same, with each shared page divided by those who share it (the Pss of Linux)."""
    if not (_PROC / "self" / "smaps_rollup").exists():
        return None
    kilobytes = 0
    for pid in _tree(roots, _all_stats()):
        with contextlib.suppress(OSError):  # it has just ended
            lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
            kilobytes += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kilobytes / 1024


def tree_size(roots: Iterable[int]) -> int | None:
    """How many these processes and all their descendants are; None where there is no /proc."""
    if not (_PROC / "self" / "stat").exists():
        return None
    return len(_tree(roots, _all_stats()))


def _tree(roots: Iterable[int], stats: Mapping[int, _Stat]) -> set[int]:
    members = set(roots) & stats.keys()
    found = members
    while found:
        found = {pid for pid, stat in stats.items() if stat.parent in found} - members
        members |= found
    return members


def machine_cpu_seconds() -> float | None:
    """What all the cores together were busy for or robbed of; None where there is no /proc."""
    try:
        first, _, _ = (_PROC / "stat").read_text().partition("\n")
    except OSError:
        return None
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, first.split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def cpu_seconds_elsewhere() -> float | None:
    """Processor time of everything but this program and what it started and waited for."""
    machine, own = machine_cpu_seconds(), tree_cpu_seconds([os.getpid()])
    return None if machine is None or own is None else machine - own


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
        # utime, stime, and those of the children that were waited for; then rss (see proc(5)).
        ticks = sum(map(int, fields[11:15]))
        stats[int(folder.name)] = _Stat(int(fields[1]), ticks, int(fields[21]))
    return stats
