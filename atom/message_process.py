"""Message actions: the processes that a flow may wait for."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Literal, cast

from marshmallow import ValidationError

from atom.accepted_values import load_accepted
from atom.configuration import Configuration
from atom.context import Execution
from atom.errors import DeclarationError, Fault, InvalidRequest, InvalidResult
from atom.outcome import Misfits, dump_old_response, dump_response
from atom.process import CleanupFunction, OpenFile, Process, ProcessFunction, ProcessOptions
from atom.process_function import check_function
from atom.profile import Profile, entries_of, load_request, prepared
from atom.protocol.message_actions import ServiceRequest, fault, forward
from atom.protocol.metadata import ActionDescription
from atom.protocol.objects import Document, Entry, read_values, write_values
from atom.protocol.values import ContentType, boolean_text
from atom.protocol.wire import sentence

FaultStyle = Literal["root", "outputs"]

# What an action with faults="outputs" answers beside its own outputs.
_VERDICT: Final = (
    Entry("success", ContentType.BOOLEAN),
    Entry("errorCode", ContentType.STRING),
    Entry("errorMessage", ContentType.STRING),
)


class MessageProcess(Process):
    """A declared message action: the function behind it and what the flow sees of it."""

    is_synchronous: ClassVar = False

    def __init__(  # noqa: PLR0913 (each is an option of the declaration, by keyword)
        self,
        service: str,
        action: str,
        function: ProcessFunction,
        *,
        summary: str = "",
        request: type[Profile] | None = None,
        response: type[Profile] | None = None,
        faults: FaultStyle = "root",
        on_end: CleanupFunction | None = None,
        configuration: Configuration,
        options: ProcessOptions,
    ) -> None:
        super().__init__(service, action, function, configuration=configuration, options=options)
        where = f"Action “{action}” of service “{service}”"
        options.check(where)
        if on_end is not None:
            _check_cleanup(on_end, where)
        self.on_end = on_end
        self.inputs: Final[tuple[Entry, ...]] = entries_of(request, f"{action} REQUEST")
        self._own_outputs: Final = entries_of(response, f"{action} RESPONSE")
        self._has_verdict: Final = _check_faults(faults, self._own_outputs, where)
        self.outputs: Final = (*self._own_outputs, *(_VERDICT if self._has_verdict else ()))
        self.description: Final = ActionDescription(action, summary, self.inputs, self.outputs)
        self._request: Final = prepared(request) if request else None
        self._response: Final = prepared(response) if response else None

    @property
    def entries(self) -> Sequence[Entry]:
        """See Process."""
        return (*self.inputs, *self.outputs)

    def read(self, document: Any) -> ServiceRequest:
        """See Process."""
        return ServiceRequest.read(document)

    def check(self, request: ServiceRequest) -> None:
        """See Process."""
        self.configuration.load(request.configuration_values)
        self.load(request.inputs)

    def call(
        self, request: ServiceRequest, execution: Execution, open_file: OpenFile
    ) -> dict[str, Any]:
        """See Process."""
        result = self.run(self._load_accepted(request, execution), execution)
        chosen = execution.chosen_outcome
        ids = {each["developer_name"]: each["id"] for each in request.outcomes}
        return forward(
            request.token,
            request.tenant_id,
            self.dump(result, is_of_several_versions=execution.is_of_several_versions),
            None if chosen is None else ids[chosen],
        )

    def clean_up(self, request: ServiceRequest, execution: Execution, ending: Any) -> None:
        """See Process."""
        assert self.on_end is not None  # noqa: S101
        self._checked(self.on_end(self._load_accepted(request, execution), execution, ending))

    def _load_accepted(self, request: ServiceRequest, execution: Execution) -> dict[str, Any]:
        """Return the inputs of an accepted request as the functions receive them."""
        inputs: dict[str, Any] = load_accepted(
            self._request,
            self.inputs,
            request.inputs,
            "inputs",
            is_of_several_versions=execution.is_of_several_versions,
        )
        return inputs

    def refusal(
        self, token: str, tenant_id: str, faults: Sequence[Fault], *, request: Any, status: int
    ) -> dict[str, Any]:
        """See Process: faults the flow can route on, or outputs that it can look at."""
        if self._has_verdict:
            return forward(token, tenant_id, self._refused_outputs(faults))
        inputs = request.inputs if request is not None else ()
        return fault(token, tenant_id, write_values(self.outputs, {}), faults, inputs)

    def load(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        """Validate the inputs of a request that is not accepted yet.

        Raises:
            InvalidRequest: naming every entry that is missing or wrong.
        """
        return load_request(self._request, read_values(self.inputs, inputs))

    def dump(self, result: Any, *, is_of_several_versions: bool = False) -> list[dict[str, Any]]:
        """Return what the function returned: every declared output as an EngineValue.

        Args:
            result: what the function returned.
            is_of_several_versions: whether another version accepted the execution or ran an
                earlier attempt. Then a result that does not fit is no error; see
                `dump_old_response`.

        Raises:
            InvalidResult: naming every entry that is missing, unknown or wrong.
        """
        document: Document
        if is_of_several_versions:
            misfits = Misfits("The result")
            document = dump_old_response(self._response, result, misfits)
            misfits.log()
        else:
            try:
                document = dump_response(self._response, result)
            except ValidationError as error:
                found = "; ".join(cast(list[str], error.messages))
                raise InvalidResult(self.task_name, found) from None
        if self._has_verdict:
            document = {**document, "success": boolean_text(True)}
        return write_values(self.outputs, document)

    def write_inputs(
        self, document: Mapping[str, Any], *, is_of_several_versions: bool = False
    ) -> list[dict[str, Any]]:
        """Return the inputs of a request, from what the function is to receive.

        Args:
            document: by the names of the request profile.
            is_of_several_versions: whether another version accepted the calling execution or ran
                an earlier attempt. Then a document that does not fit is no error; see
                `dump_old_response`.

        Raises:
            InvalidRequest: naming every entry that is unknown or wrong.
        """
        if is_of_several_versions:
            misfits = Misfits(f"The document for {self.task_name}")
            inputs = write_values(self.inputs, dump_old_response(self._request, document, misfits))
            misfits.log()
            return inputs
        try:
            return write_values(self.inputs, dump_response(self._request, document))
        except ValidationError as error:
            found = "; ".join(cast(list[str], error.messages))
            raise InvalidRequest(f"{self.task_name} cannot be called so: {found}.") from None

    def read_outputs(self, outputs: list[dict[str, Any]]) -> dict[str, Any]:
        """Load the outputs of a recorded response, which another version may have written."""
        what = f"outputs of {self.task_name}"
        loaded: dict[str, Any] = load_accepted(
            self._response, self._own_outputs, outputs, what, is_of_several_versions=True
        )
        return loaded

    def _refused_outputs(self, faults: Sequence[Fault]) -> list[dict[str, Any]]:
        verdict = {
            "success": boolean_text(False),
            "errorCode": faults[0].name,
            "errorMessage": sentence(" ".join(each.message for each in faults)),
        }
        return write_values(self.outputs, verdict)


def _check_cleanup(on_end: Any, location: str) -> None:
    """Refuse a cleanup that a worker could not call.

    Raises:
        DeclarationError: it is several functions, asynchronous, a generator, or takes other
            arguments.
    """
    if isinstance(on_end, list | tuple | set | dict):
        raise DeclarationError(
            f"{location}: an action has one on_end, not a {type(on_end).__name__}. Call the "
            "functions from one function, each in a step of its own."
        )
    check_function(on_end, ("request", "execution", "ending"), location=location, role="on_end")


def _check_faults(faults: str, outputs: Sequence[Entry], where: str) -> bool:
    """Whether faults become outputs.

    Raises:
        DeclarationError: there is no such style, or the response has such outputs of its own.
    """
    if faults not in ("root", "outputs"):
        raise DeclarationError(f"{where}: faults must be “root” or “outputs”, not {faults!r}.")
    if faults == "root":
        return False
    taken = {each.name for each in outputs} & {each.name for each in _VERDICT}
    if taken:
        raise DeclarationError(
            f'{where}: with faults="outputs" the output “{min(taken)}” is ours; rename yours.'
        )
    return True
