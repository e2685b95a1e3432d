"""The figures of docs/scaling.md: what `make bench-scale` measured last, and what follows."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

SCALING: Final = Path(__file__).parent / "scaling.md"
_RESULTS: Final = Path(__file__).parent.parent / "benchmarks/results"

# How much of a core may be used before a queue grows at every fluctuation.
_USED: Final = 0.6
_REDIS_GIB: Final = 16
_LOADS: Final = {"10 a second": 10, "10 ×": 100, "1,000 ×": 10_000}
_HOURS: Final = (1, 24, 24 * 30)
_ROLES: Final = ("listener", "worker", "callbacks")


def scaling_page(text: str) -> str:
    """The page with its tables as they have to be; each stands between two comments.

    Raises:
        ValueError: the page has a place for a table that there is none for, or lacks one.
    """
    tables = _tables(_newest_result())
    places = re.findall(r"<!-- measured: (.*?) -->", text)
    if sorted(places) != sorted(tables):
        raise ValueError(f"docs/scaling.md has places for {places}; there are {list(tables)}")
    for name, table in tables.items():
        begin, end = f"<!-- measured: {name} -->", "<!-- end -->"
        pattern = rf"{re.escape(begin)}.*?{re.escape(end)}"
        content = f"{begin}\n{table}\n{end}"
        text = re.sub(pattern, lambda _, content=content: content, text, flags=re.DOTALL)
    return text


def _newest_result() -> dict[str, Any]:
    (*_, newest) = sorted(_RESULTS.glob("scale-*.json"))
    found: dict[str, Any] = json.loads(newest.read_text())
    return found


def _tables(result: Mapping[str, Any]) -> dict[str, str]:
    return {
        "machine": _machine(result),
        "roles": _roles(result["capacity"]),
        "line": _line(result["linear"]),
        "pools": _pools(result["flight"]),
        "loads": _loads(result["capacity"]),
        "retention": _retention(result["capacity"]),
    }


def _machine(result: Mapping[str, Any]) -> str:
    machine, elsewhere = result["machine"], result["cores_busy_elsewhere"]
    busy = "" if elsewhere is None else f"; other programs used {elsewhere:.1f} cores meanwhile"
    return f"{machine['cores']} cores, {machine['system']}, Python {machine['python']}{busy}."


def _roles(capacity: Mapping[str, Any]) -> str:
    rows = []
    for name, label in (
        ("listener", "listener: accepts"),
        ("worker", "worker: runs"),
        ("callbacks", "worker of callbacks: delivers"),
    ):
        role = capacity[name]
        rows.append(
            (
                label,
                f"{role['per_second']:.0f}",
                f"{role['cpu_ms']:.1f} ms",
                f"{1000 / role['cpu_ms']:.0f}",
                f"{role['store_cpu_ms']:.2f} ms",
                f"{role['broker_cpu_ms']:.2f} ms",
            )
        )
    for label, ms in (
        ("Redis: store and broker", _redis_ms(capacity)),
        ("Redis: store alone", _store_ms(capacity)),
    ):
        rows.append((label, "–", f"{ms:.2f} ms", f"{1000 / ms:.0f}", "–", "–"))
    headings = ("one process", "a second", "CPU for each", "a core could")
    return _table((*headings, "of the store's Redis", "of the broker's Redis"), rows)


def _line(found: Sequence[Mapping[str, Any]]) -> str:
    kinds = sorted({each["kind"] for each in found})
    rows = []
    for processes in sorted({each["processes"] for each in found}):
        row = [str(processes)]
        for kind in kinds:
            (one,) = [e for e in found if (e["kind"], e["processes"]) == (kind, processes)]
            row.append(f"{one['per_second']:.1f} ({one['of_linear']:.2f})")
        rows.append(row)
    return _table(("worker processes", *kinds), rows)


def _pools(found: Sequence[Mapping[str, Any]]) -> str:
    headings = ("pool", "workers × concurrency", "most in flight", "memory", "memory for each")
    headings += ("CPU for each", "leases lost")
    rows = [
        (
            each["pool"],
            f"{each['workers']} × {each['concurrency']}",
            f"{each['most_in_flight']:,}",
            f"{each['memory_mb']:.0f} MiB",
            f"{each['memory_mb_each']:.2f} MiB",
            f"{each['cpu_ms_each']:.1f} ms",
            str(each["leases_lost"]),
        )
        for each in found
    ]
    return _table(headings, rows)


def _loads(capacity: Mapping[str, Any]) -> str:
    """Cores for each role, used so far that they keep up with a fluctuation."""
    rows = []
    for label, ms in (
        ("listener", capacity["listener"]["cpu_ms"]),
        ("workers, beside what your code uses", capacity["worker"]["cpu_ms"]),
        ("workers of callbacks", capacity["callbacks"]["cpu_ms"]),
        ("Redis", _redis_ms(capacity)),
        ("Redis, with a broker of its own", _store_ms(capacity)),
    ):
        cores = [load * ms / 1000 / _USED for load in _LOADS.values()]
        rows.append((f"cores: {label}", *(f"{each:,.2f}" for each in cores)))
    traffic = [load * capacity["network_bytes"] * 8 / 1e6 for load in _LOADS.values()]
    rows.append(("Mbit/s to and from Redis", *(f"{each:,.0f}" for each in traffic)))
    return _table(("executions", *_LOADS), rows)


def _retention(capacity: Mapping[str, Any]) -> str:
    """The memory of the history; how many Redis servers that is, or the processor time is."""
    each_gib = capacity["redis_bytes_finished"] / 2**30
    rows = []
    for hours in _HOURS:
        row = [f"{hours} h"]
        for load in _LOADS.values():
            gib = load * 3600 * hours * each_gib
            by_memory = gib / _REDIS_GIB
            by_time = load * _redis_ms(capacity) / 1000 / _USED
            servers = max(1, -(-max(by_memory, by_time) // 1))
            row.append(f"{gib:,.1f} GiB: {servers:,.0f}")
        rows.append(row)
    return _table(("kept for", *_LOADS), rows)


def _redis_ms(capacity: Mapping[str, Any]) -> float:
    broker = sum(capacity[role]["broker_cpu_ms"] for role in _ROLES)
    return float(_store_ms(capacity) + broker)


def _store_ms(capacity: Mapping[str, Any]) -> float:
    return float(sum(capacity[role]["store_cpu_ms"] for role in _ROLES))


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] + ["---:"] * (len(headings) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
