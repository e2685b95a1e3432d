"""What there is to judge by in the end: the sandbox's journal, raw Redis, lines, logs, answers.

Redis is read with its own client and by key patterns of this file: a mistake in the store or in
the names must not hide itself.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from redis import Redis

from atom.sandbox import Event
from tests.chaos.lines import Line
from tests.chaos.traffic import Sent, SynchronousAnswer

_EXECUTION = re.compile(r"atom:execution:([0-9a-f-]{36})")


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowEvidence:
    """One flow, as the platform knows it."""

    state_id: str
    action: str
    value: str
    steps: Sequence[str]  # that a run of it to the end records
    is_accepted: bool  # a request of it was answered with 200
    events: Sequence[Event] = ()

    def of_kind(self, kind: str) -> list[Event]:
        """Its events of one kind."""
        return [event for event in self.events if event.kind == kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionEvidence:
    """One execution, as Redis holds it."""

    id: str
    fields: Mapping[str, str]
    steps: Sequence[Sequence[str]] = ()  # name and encoded result, and the kind unless a result

    def __getitem__(self, name: str) -> str:
        return self.fields.get(name, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEvidence:
    """One key of Redis."""

    name: str
    type: str
    has_expiry: bool
    members: int = 0


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything the checker reads."""

    flows: Sequence[FlowEvidence] = ()
    executions: Sequence[ExecutionEvidence] = ()
    lines: Sequence[Line] = ()
    keys: Sequence[KeyEvidence] = ()
    synchronous: Sequence[SynchronousAnswer] = ()
    logs: Mapping[str, str] = field(default_factory=dict)
    lost_writes: Sequence[str] = ()
    idle_workers: Sequence[str] = ()  # those that took nothing in the end
    max_attempts: int = 1


def flow_evidence(sent: Iterable[Sent]) -> list[FlowEvidence]:
    """What the sandbox's journal says of the flows."""
    found = []
    for each in sent:
        with each.flow.changed:
            found.append(
                FlowEvidence(
                    state_id=each.flow.id,
                    action=each.action,
                    value=each.value,
                    steps=each.steps,
                    is_accepted=each.flow.calls[each.token].is_answered,
                    events=tuple(each.flow.events),
                )
            )
    return found


def executions_in(client: "Redis[Any]") -> list[ExecutionEvidence]:
    """Every execution with its recorded steps."""
    found = []
    for key in client.scan_iter(match="atom:execution:*", count=1000):
        named = _EXECUTION.fullmatch(key.decode())
        if named is None:
            continue
        steps = client.hgetall(f"{key.decode()}:steps")
        fields = {**client.hgetall(key), **client.hgetall(f"{key.decode()}:documents")}
        in_order = sorted((int(position), step) for position, step in steps.items())
        found.append(
            ExecutionEvidence(
                id=named[1],
                fields={name.decode(): value.decode() for name, value in fields.items()},
                steps=[_name_and_result(step) for _, step in in_order],
            )
        )
    return found


def _name_and_result(step: bytes) -> list[str]:
    """Return an entry of a journal that is not encrypted; a third element is its failure."""
    (name, _, result, *_), _, failed, *_ = orjson.loads(step)
    return [name, result, *([failed] if failed else [])]


def keys_in(client: "Redis[Any]") -> list[KeyEvidence]:
    """Every key, with how much is in the kinds that should be empty in the end."""
    sizes = {"zset": client.zcard, "list": client.llen, "hash": client.hlen, "set": client.scard}
    found = []
    for key in client.scan_iter(count=1000):
        kind = client.type(key).decode()
        remaining = client.pttl(key)
        if remaining == -2:  # it has just expired
            continue
        size = sizes[kind](key) if kind in sizes else 1
        found.append(
            KeyEvidence(
                name=key.decode(errors="replace"),
                type=kind,
                has_expiry=remaining >= 0,
                members=size,
            )
        )
    return found


def logs_in(directory: Path) -> dict[str, str]:
    """What each role printed."""
    return {path.stem: path.read_text(errors="replace") for path in sorted(directory.glob("*.log"))}
