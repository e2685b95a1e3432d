"""Starting an execution that no flow waits for: its outcome goes to the history alone."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from structlog.contextvars import bound_contextvars

from atom.catalog import Catalog
from atom.errors import InvalidRequest, NotFound, PublishFailed, StoreUnavailable, ValueTooLarge
from atom.logs import context_of
from atom.message_process import MessageProcess
from atom.protocol.objects import Document, Entry, write_values
from atom.protocol.values import ContentType, boolean_text, number_text
from atom.publisher import Publisher
from atom.records import NewExecution
from atom.redaction import MASK, parted
from atom.store import ExecutionStore, not_accepted

_log = logging.getLogger(__name__)

# What a process reads as the flow's callbackUri; nothing is sent there.
_NOWHERE: Final = "about:blank"


class Starter:
    """Stores executions and wakes their workers."""

    def __init__(self, catalog: Catalog, store: ExecutionStore, publisher: Publisher) -> None:
        self._catalog, self._store, self._publisher = catalog, store, publisher

    def start(
        self,
        process_id: str,
        tenant_id: str,
        inputs: Mapping[str, str | None],
        configuration: Mapping[str, str | None],
    ) -> str:
        """Start an execution of a message action; returns its id.

        Args:
            process_id: `<Service>.<Action>`.
            tenant_id: as the process sees it.
            inputs: by name, as texts; an object or a list as JSON.
            configuration: values of the service's configuration, by name.

        Raises:
            NotFound: there is no such process.
            InvalidRequest: it cannot be started so, or what it was given is wrong.
            TooManyRequests: its tenant or service asks more often than it may.
            Unavailable: it is not accepted now, or nobody knows whether it was.
        """
        process = self._process(process_id)
        where = f"“{process_id}”"
        entries, values = process.configuration.entries, configuration
        document = {
            "token": MASK,
            "tenantId": tenant_id,
            "callbackUri": _NOWHERE,
            "inputs": _values(process.inputs, inputs, f"{where} has no input"),
            "configurationValues": _values(entries, values, f"{where} has no configuration value"),
        }
        process.check(process.read(document))
        public, private = parted(document, process.secret_names)
        new = NewExecution(
            service=process.service,
            action=process.action,
            tenant_id=tenant_id,
            state_id="",
            token="",
            callback_uri="",
            authorization=None,
            request=public,
            private_request=private,
            queue=process.options.queue,
            version=process.version,
            profiles=process.profiles_digest,
            priority=process.options.priority,
            service_rate=self._catalog.service(process.service).requests_per_second,
            timeout_seconds=process.options.timeout,
        )
        with bound_contextvars(**context_of(new.id, new)):
            try:
                accepted = self._store.accept(new)
            except (StoreUnavailable, ValueTooLarge) as error:
                _log.error("A request was refused: %s", error)
                raise not_accepted(new, error) from error
            try:
                if accepted.is_out:
                    self._publisher.publish(process.task_name, new.id, process.options.queue)
            except PublishFailed as error:
                _log.warning("Accepted, but not published (recovery will): %s", error)
            else:
                _log.info("Accepted")
        return new.id

    def _process(self, process_id: str) -> MessageProcess:
        service, _, action = process_id.partition(".")
        try:
            process = self._catalog.process(service, action)
        except NotFound:
            raise NotFound(
                f"There is no process “{process_id}” here; Process/query lists those there are."
            ) from None
        if not isinstance(process, MessageProcess):
            raise InvalidRequest(
                f"“{process_id}” answers its caller in the request itself; only message actions "
                "can be started here."
            )
        return process


def _values(
    entries: Sequence[Entry], given: Mapping[str, str | None], otherwise: str
) -> list[dict[str, Any]]:
    """The EngineValues of all entries."""
    _refuse_unknown(entries, given, otherwise)
    return write_values(
        entries,
        {
            each.name: _parsed(each, text)
            for each in entries
            if (text := given.get(each.name)) is not None
        },
    )


def _parsed(entry: Entry, text: str) -> str | Document | list[Document]:
    """A text as what its entry holds; whether it fits is for the profile to say."""
    if not entry.content_type.is_structure:
        return text
    try:
        return _structure(entry, orjson.loads(text), entry.name)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"“{entry.name}” is not valid JSON: {error}.") from None


def _structure(entry: Entry, value: Any, where: str) -> Document | list[Document]:
    if entry.content_type is not ContentType.LIST:
        return _object(entry.entries, value, where)
    if not isinstance(value, list):
        raise InvalidRequest(f"“{where}” is a list of objects.")
    return [_object(entry.entries, each, f"{where}[{at}]") for at, each in enumerate(value)]


def _object(entries: Sequence[Entry], value: Any, where: str) -> Document:
    if not isinstance(value, Mapping):
        raise InvalidRequest(f"“{where}” is an object of named values.")
    _refuse_unknown(entries, value, f"“{where}” has no property")
    return {
        each.name: _structure(each, content, f"{where}.{each.name}")
        if each.content_type.is_structure
        else simple_text(content, f"{where}.{each.name}")
        for each in entries
        if (content := value.get(each.name)) is not None
    }


def simple_text(value: Any, where: str) -> str:
    """A JSON value as the text of a simple one; some clients send true for the text “true”.

    Raises:
        InvalidRequest: it is an object or a list.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return boolean_text(value)
    if isinstance(value, int | float):
        return number_text(value)
    raise InvalidRequest(f"“{where}” is a simple value.")


def _refuse_unknown(entries: Sequence[Entry], given: Mapping[str, Any], otherwise: str) -> None:
    names = [each.name for each in entries]
    for name in given:
        if name not in names:
            raise InvalidRequest(f"{otherwise} “{name}”; there are: {', '.join(names) or 'none'}.")
