"""Children of an execution: how they are asked for, what runs of them, and what became of them."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pkgutil import resolve_name
from typing import Any, Final

import orjson

from atom.children import ChildEnd, Join, NewChild
from atom.context import Execution
from atom.errors import AtomError, CannotSpawn, ChildFailed, Fault
from atom.execution.ending import child_refusal
from atom.execution.failures import LONGEST_REASON, kinds_of
from atom.execution.masked_results import without_secrets
from atom.execution.recorded_values import encode, unmarked
from atom.execution.steps import outcome_of
from atom.message_process import MessageProcess
from atom.names import child_execution_id
from atom.process import OpenFile, Process, ProcessOptions
from atom.protocol.objects import Entry, read_values
from atom.protocol.requests import ConnectorRequest
from atom.records import Claim, State, Step, StepKind
from atom.redaction import parted, redacted

_FUNCTION: Final = "function"


@dataclass(frozen=True, slots=True)
class Asked:
    """Children that a process asks for."""

    requests: Sequence[tuple[bytes, bytes | None]]  # of each, without and with its secrets
    process: Process  # whose workers run them
    are_items: bool  # of a map
    digest: str  # of what the process passed: equal in every attempt, unlike ids in a request

    def missing(self, claim: Claim, join: Join) -> Mapping[int, NewChild]:
        """Those that are not stored yet."""
        return {
            index: NewChild(
                id=child_execution_id(claim.id, join.nonce, index),
                service=self.process.service,
                action=self.process.action,
                queue=self.process.options.queue,
                timeout_seconds=self.process.options.timeout,
                request=public,
                private_request=private,
                is_item=self.are_items,
                version=self.process.version,
                profiles=self.process.profiles_digest,
                priority=self.process.options.priority,
            )
            for index, (public, private) in enumerate(self.requests)
            if index not in join.ids
        }


def items_of(
    process: Process, function: Callable[..., Any], items: Sequence[Any], digest: str
) -> Asked:
    """Return a child for each item, which calls the function with it.

    Raises:
        CannotSpawn: a worker could not find the function, or an item cannot be stored.
    """
    path = path_of(function)
    requests = []
    for index, (item, stored) in enumerate(zip(items, stored_items(items), strict=True)):
        public, private = (
            orjson.dumps({_FUNCTION: path, "index": index, "item": orjson.Fragment(each)})
            for each in (encode(without_secrets(item)), stored)
        )
        requests.append((public, private if private != public else None))
    return Asked(requests, process, are_items=True, digest=digest)


def items_digest(items: Sequence[Any]) -> str:
    """Return the hash of the items of a map.

    Raises:
        CannotSpawn: an item cannot be stored.
    """
    return _digest(*(_with_sorted_keys(item) for item in stored_items(items)))


def _digest(*contents: str) -> str:
    """Return the hash of the items of a map, or of the document of a call."""
    hashed = hashlib.sha256()
    for content in contents:  # each with the same length, so that no two sequences run together
        hashed.update(hashlib.sha256(content.encode()).digest())
    return hashed.hexdigest()


def _with_sorted_keys(document: str) -> str:
    """Return the JSON of an equal value whose dicts have one order, however they were built."""
    return orjson.dumps(orjson.loads(document), option=orjson.OPT_SORT_KEYS).decode()


def stored_items(items: Iterable[Any]) -> Sequence[str]:
    """Each as its child gets it.

    Raises:
        CannotSpawn: an item cannot be stored.
    """
    stored = []
    for index, item in enumerate(items):
        try:
            stored.append(encode(item))
        except TypeError as error:
            raise CannotSpawn(f"Item {index} cannot be stored: {error}.") from error
    return stored


def call_of(process: MessageProcess, document: Mapping[str, Any], parent: Claim) -> Asked:
    """Return a child that runs another declared process; its flow is that of the parent.

    If the parent is of several versions, nothing is refused: its document and configuration may
    come from another version.

    Raises:
        InvalidRequest: its request profile refuses the document, or its service the configuration.
    """
    wire = orjson.loads(parent.parent_request or parent.request)
    is_of_several_versions = parent.is_of_several_versions
    inputs = process.write_inputs(document, is_of_several_versions=is_of_several_versions)
    wire |= {"inputs": inputs, "outcomes": []}
    if not is_of_several_versions:
        process.check(process.read(wire))
    # Of the document as the child reads it: the objects on the wire have ids, new in each attempt.
    received = orjson.dumps(read_values(process.inputs, inputs)).decode()
    requests = [parted(wire, process.secret_names)]
    return Asked(requests, process, are_items=False, digest=_digest(received))


def child_process(process: Process, claim: Claim, document: Mapping[str, Any]) -> Process:
    """What runs of a child: the function of an item, or the process that is called."""
    if _FUNCTION in document:
        return _Item(process, claim.parent_request or b"{}")
    return _Called(process)


def results_of(name: str, step: Step, *, returns_faults: bool) -> list[Any]:
    """What a process sees of its children, in the order of their items.

    Raises:
        Fault, Faults, StepFailed: of the first that did not complete, where faults are not
            returned.
    """
    results = []
    for kind, result in outcome_of(step):
        try:
            results.append(outcome_of(Step(name, result, StepKind(kind))))
        except Exception as error:
            if not returns_faults:
                raise
            results.append(error)
    return results


def joined(name: str, join: Join) -> Step:
    """What is recorded of children: of each how it ended; of those that were stopped nothing."""
    ends = sorted(join.ends.items())
    if join.is_stopped:
        # Some may have been cancelled already, because of the one that did not complete.
        index, end = min(
            (each for each in ends if each[1].state is not State.COMPLETED),
            key=lambda each: each[1].state is State.CANCELLED,
        )
        kind, result = _ended(index, join.ids[index], end)
        return Step(name, result, StepKind(kind))
    return Step(name, encode([_ended(index, join.ids[index], end) for index, end in ends]))


def _ended(index: int, execution_id: str, end: ChildEnd) -> tuple[str, str]:
    response = orjson.loads(end.response) if end.response else {}
    if end.state is State.COMPLETED:
        return StepKind.RESULT.value, orjson.dumps(response["result"]).decode()
    faults = response.get("faults") or []
    if end.state is State.FAULTED:
        return StepKind.FAULT.value, orjson.dumps(faults).decode()
    said = faults[0][0] if faults else end.state.value
    reason = redacted(f"Child {index} (execution {execution_id}) {end.state.value}: {said}")
    return StepKind.FAILURE.value, child_failure(reason)


def child_failure(reason: str) -> str:
    """What is recorded of a child that did not complete, nor said no."""
    content = {"kinds": kinds_of(ChildFailed), "reason": reason[:LONGEST_REASON]}
    return orjson.dumps(content).decode()


def path_of(function: Callable[..., Any]) -> str:
    """Where a worker finds the function.

    Raises:
        CannotSpawn: nowhere.
    """
    path = f"{getattr(function, '__module__', '')}:{getattr(function, '__qualname__', '')}"
    try:
        found = resolve_name(path)
    except (ValueError, ImportError, AttributeError):
        found = None
    if found is not function:
        raise CannotSpawn(
            f"“{path.rpartition(':')[2]}” runs on other workers, which have to find "
            "it by its name: declare it with def in a module, not within another function."
        )
    return path


class UnknownFunction(AtomError):
    """The code of this worker lacks the function of a map or a cleanup."""


class ChildProcess(Process):
    """What runs of a child: its response is for its parent, and no flow."""

    is_synchronous = False

    def __init__(self, process: Process, options: ProcessOptions) -> None:
        super().__init__(
            process.service,
            process.action,
            process.function,
            configuration=process.configuration,
            options=options,
        )
        self._process, self.version = process, process.version

    def refusal(
        self, token: str, tenant_id: str, faults: Sequence[Fault], *, request: Any, status: int
    ) -> dict[str, Any]:
        """See Process."""
        return child_refusal(faults)

    @property
    def entries(self) -> Sequence[Entry]:
        """See Process."""
        return self._process.entries


class _Item(ChildProcess):
    """The function of a map, for one item."""

    def __init__(self, process: Process, parent_request: bytes) -> None:
        super().__init__(process, replace(process.options, retry=None))
        self._parent_request = parent_request
        self._document: Mapping[str, Any] = {}
        self._mapped_function: Callable[..., Any]

    def read(self, document: Any) -> ConnectorRequest:
        """See Process: the request of the parent, beside whose parts the item stands."""
        path = document[_FUNCTION]
        try:
            self._mapped_function = resolve_name(path)
        except (ValueError, ImportError, AttributeError):
            raise UnknownFunction(
                f"The worker has no function “{path}”, with which the items of a map were started."
            ) from None
        self._document = document
        return self._process.read(orjson.loads(self._parent_request))

    def check(self, request: Any) -> None:
        """See Process: it was checked when the parent was accepted."""

    def call(self, request: Any, execution: Execution, open_file: OpenFile) -> dict[str, Any]:
        """See Process."""
        result = self._mapped_function(unmarked(self._document["item"]), execution)
        try:
            return {"result": orjson.Fragment(encode(result))}
        except TypeError as error:
            raise CannotSpawn(f"What an item returned cannot be stored: {error}.") from error


class _Called(ChildProcess):
    """A process that another one calls."""

    def __init__(self, process: Process) -> None:
        super().__init__(process, process.options)

    def read(self, document: Any) -> ConnectorRequest:
        """See Process."""
        return self._process.read(document)

    def check(self, request: Any) -> None:
        """See Process."""
        self._process.check(request)

    def call(self, request: Any, execution: Execution, open_file: OpenFile) -> dict[str, Any]:
        """See Process."""
        return {"result": self._process.call(request, execution, open_file)["outputs"]}
