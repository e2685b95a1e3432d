"""Executions that another one has begun, and waits for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from atom.entries import EntryKey
from atom.records import State


@dataclass(frozen=True, slots=True, kw_only=True)
class NewChild:
    """A child as its parent stores it."""

    id: str
    service: str
    action: str
    queue: str
    timeout_seconds: float
    request: bytes = field(repr=False)  # without its secrets
    private_request: bytes | None = field(default=None, repr=False)
    is_item: bool  # of a map; else it is called
    version: str  # of its service, in the worker that runs the parent
    profiles: str  # the digest of its profiles there
    priority: int = 0  # of its process


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJoin:
    """What a parent wants of its children."""

    key: EntryKey  # in the parent's journal
    total: int
    width: int  # the number of children that may be under way at once
    stops: bool  # at the first child that does not complete
    digest: str  # of the items or the document, so that a later attempt asks for the same
    function: str = ""  # the qualified name; empty for a function without one


@dataclass(frozen=True, slots=True)
class ChildEnd:
    """How a child ended."""

    state: State
    response: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """How it stands with the children of a parent."""

    nonce: str  # of this join, from which the ids of its children follow
    digest: str
    function: str
    ids: Mapping[int, str]  # of those that are stored, by index
    ends: Mapping[int, ChildEnd]  # of those that have ended
    total: int
    is_stopped: bool  # one did not complete, and the others are not waited for

    @property
    def unfinished(self) -> Sequence[str]:
        """Those that have not ended."""
        return [each for index, each in self.ids.items() if index not in self.ends]

    @property
    def is_over(self) -> bool:
        """Whether the parent may go on."""
        return self.is_stopped or len(self.ends) == self.total


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenJoin:
    """The join that a parent waits for, without its children."""

    key: EntryKey  # in the journal of the parent
    function: str
    digest: str
    total: int


@dataclass(frozen=True, slots=True)
class JoinProgress:
    """How far a parent's children are, where its flow is to be told."""

    parent: str
    key: EntryKey
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class After:
    """What is to be done now that something was written."""

    is_callback_due: bool = False  # a callback worker is to be woken
    progress: JoinProgress | None = None
