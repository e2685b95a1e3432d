"""Every error the project raises on purpose.

AtomError
├── DeclarationError        a service is declared wrongly (at import)
├── CatalogError            a service cannot be found or loaded
├── SettingsError           an ATOM_* variable is missing or wrong
├── StartupError            a role cannot start: a port in use, no Redis, …
├── RequestRefused          a request gets no execution; each has its HTTP status
│   ├── MalformedRequest    400  not the JSON it should be
│   ├── InvalidRequest      400  JSON, but a field is wrong
│   ├── Unauthorized        401  no credentials, or wrong ones
│   ├── Forbidden           403  credentials for other services
│   ├── NotFound            404  no such service, action or path
│   ├── MethodNotAllowed    405
│   ├── RequestTooLarge     413
│   ├── UnsupportedMedia    415
│   ├── TooManyRequests     429  its tenant or service asks more often than it may
│   ├── Unavailable         503  passing: try again
│   │   ├── Paused          503  an operator paused the service or action
│   │   └── Overloaded      503  too many executions wait for a worker
│   └── TookTooLong         504  a synchronous request outlived its time
├── CredentialError         a credential cannot be created or revoked
├── StoreUnavailable        Redis does not answer
├── Unreadable              what is stored was encrypted with a key that this role lacks
├── PublishFailed           the broker does not take a message
├── ClaimLost               another worker holds the execution now
├── StepMismatch            a replay found another step than was recorded
├── StepResultError         a step returned what cannot be recorded
│   └── StepTooLarge             … since it is too large
├── StepFailed              a step raised something other than a Fault
├── InvalidResult           a process returned what its response profile refuses
├── UnknownOutcome          a process chose an outcome that its step does not have
├── FlowClientError         a flow cannot be run as it was asked for
│   ├── FlowRefused              the platform says no: unknown flow, wrong password, …
│   ├── FlowFaulted              the flow ended with faults
│   ├── FlowTimedOut             the flow still waits
│   └── FlowUnreachable          no answer came
├── Fault                   a process says no, in its own words
└── Faults                  … for several reasons at once

An error carries its fields as its arguments, so that it survives pickling, and builds its
sentence from them: what happened, to which field or setting, what to do.
"""

from typing import ClassVar


class AtomError(Exception):
    """The base of them all."""

    is_retryable: ClassVar[bool] = False
    """Whether a process that raised it may do better at another time."""


class DeclarationError(AtomError):
    """A service, action or profile is declared in a way that no flow could use."""


class CatalogError(AtomError):
    """A declared service cannot be found or loaded."""


class SettingsError(AtomError):
    """A setting is missing or wrong; the sentence names the variable."""


class StartupError(AtomError):
    """A role cannot start; the sentence says why and what to do."""


class RequestRefused(AtomError):
    """The request is answered with a ServiceProblem and leaves no trace."""

    status: ClassVar[int] = 400
    retry_after_seconds: int | None = None  # where time alone helps


class MalformedRequest(RequestRefused):
    """The body is not the JSON document it should be."""


class InvalidRequest(RequestRefused):
    """The body is JSON, but a field is missing or wrong; the sentence names it."""


class Unauthorized(RequestRefused):
    """The caller gave no credentials, or wrong or revoked ones."""

    status = 401


class Forbidden(RequestRefused):
    """The caller's credentials are right, but for other services."""

    status = 403


class NotFound(RequestRefused):
    """There is no such service, action or path."""

    status = 404


class MethodNotAllowed(RequestRefused):
    """The path exists, but not for this method."""

    status = 405


class RequestTooLarge(RequestRefused):
    """The body is larger than ATOM_MAX_REQUEST_BYTES."""

    status = 413


class UnsupportedMedia(RequestRefused):
    """The body is declared as something other than JSON."""

    status = 415


class TooManyRequests(RequestRefused):
    """A tenant or a service asks more often than it may; what is known already is answered."""

    status = 429

    def __init__(self, whose: str, setting: str, seconds: int) -> None:
        super().__init__(whose, setting, seconds)
        self.whose, self.setting, self.retry_after_seconds = whose, setting, seconds

    def __str__(self) -> str:
        return (
            f"{self.whose} has more requests per second than it may ({self.setting}); nothing was "
            f"started. Try again in {self.retry_after_seconds} s."
        )


class Unavailable(RequestRefused):
    """Nothing is wrong with the request; the same one will do later."""

    status = 503
    retry_after_seconds = 5


class Paused(Unavailable):
    """An operator has paused what the request is for; what runs already goes on."""

    retry_after_seconds = 60

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.target = target

    def __str__(self) -> str:
        what = "Every service of this Atom" if self.target == "*" else f"“{self.target}”"
        return f"{what} is paused by its operator; nothing was started. Try again later."


class Overloaded(Unavailable):
    """More executions wait for a worker than ATOM_MAX_PENDING allows."""

    retry_after_seconds = 15

    def __init__(self, pending: int) -> None:
        super().__init__(pending)
        self.pending = pending

    def __str__(self) -> str:
        return (
            f"{self.pending} executions wait for a worker, which is as many as may; nothing was "
            "started. Try again later."
        )


class TookTooLong(RequestRefused):
    """A request that needs its answer at once did not get it in time."""

    status = 504

    def __init__(self, message: str, *, is_withdrawn: bool = False) -> None:
        super().__init__(message)
        self.is_withdrawn = is_withdrawn


class CredentialError(AtomError):
    """A credential cannot be created or revoked; the sentence says why."""


class StoreUnavailable(AtomError):
    """Redis does not answer, or answers with an error; nothing is known to be written."""

    is_retryable = True


class Unreadable(AtomError):
    """What is stored was encrypted with none of the keys that this role has."""

    def __init__(self, whose: str) -> None:
        super().__init__(whose)
        self.whose = whose

    def __str__(self) -> str:
        return (
            f"What is stored of {self.whose} is encrypted, and no key in ATOM_SECRET_KEY reads it; "
            "give every role the same keys, those of earlier times among them."
        )


class PublishFailed(AtomError):
    """The broker did not take a message; recovery will publish it later."""


class ClaimLost(AtomError):
    """This worker no longer holds the execution: what it does from here on is not recorded."""

    def __init__(self, execution_id: str) -> None:
        super().__init__(execution_id)
        self.execution_id = execution_id

    def __str__(self) -> str:
        return (
            f"Execution {self.execution_id} is no longer held by this worker "
            "(its lease ran out, or it was ended from outside)."
        )


class StepMismatch(AtomError):
    """The code of a process changed under an execution that is being replayed."""

    def __init__(self, position: int, recorded: str, found: str) -> None:
        super().__init__(position, recorded, found)
        self.position, self.recorded, self.found = position, recorded, found

    def __str__(self) -> str:
        return (
            f"Step {self.position} was recorded as “{self.recorded}” but the process now asks for "
            f"“{self.found}”: its code changed while this execution was under way. "
            "Start the execution again from the beginning."
        )


class StepResultError(AtomError):
    """A step returned a value that cannot be written to the journal."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name, self.reason = name, reason

    def __str__(self) -> str:
        return (
            f"What step “{self.name}” returned cannot be recorded ({self.reason}). Return text, "
            "numbers, booleans, dates, UUIDs, None, or lists and dicts of them."
        )


class StepTooLarge(StepResultError):
    """A step returned more than the journal takes."""

    def __init__(self, name: str, size: int, limit: int) -> None:
        AtomError.__init__(self, name, size, limit)
        self.name, self.size, self.limit = name, size, limit

    def __str__(self) -> str:
        return (
            f"What step “{self.name}” returned takes {self.size} bytes as JSON; at most "
            f"{self.limit} are recorded (ATOM_MAX_STEP_BYTES). Keep large data elsewhere and "
            "return where it is."
        )


class StepFailed(AtomError):
    """A step raised something other than a Fault.

    The journal records it, so that the process sees the same in every attempt: `kinds` are the
    names of the exception's class and its bases, `reason` is its text. The exception itself is
    the `__cause__`, but only in the attempt in which the step ran.
    """

    def __init__(self, name: str, kinds: tuple[str, ...], reason: str) -> None:
        super().__init__(name, kinds, reason)
        self.name, self.kinds, self.reason = name, kinds, reason

    @property
    def kind(self) -> str:
        """The name of the exception's class, such as `TimeoutError`."""
        return self.kinds[0].rpartition(".")[2]

    def __str__(self) -> str:
        return f"Step “{self.name}” failed: {self.kind}."


class InvalidResult(AtomError):
    """What a process returned does not fit its response profile."""

    def __init__(self, process: str, problems: str) -> None:
        super().__init__(process, problems)
        self.process, self.problems = process, problems

    def __str__(self) -> str:
        return f"{self.process} returned what its response profile refuses: {self.problems}."


class UnknownOutcome(AtomError):
    """The step of the flow has no outcome of that name."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(name, known)
        self.name, self.known = name, known

    def __str__(self) -> str:
        there_are = ", ".join(f"“{each}”" for each in self.known) or "none"
        return (
            f"The flow's step has no outcome “{self.name}”; there are: {there_are}. "
            "Name one of them, or add it to the step in the flow."
        )


class FlowClientError(AtomError):
    """What `execution.flow` or a FlowClient was asked for could not be done."""

    is_retryable = True


class FlowRefused(FlowClientError):
    """The flow platform answered that it will not do it."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason)
        self.status, self.reason = status, reason

    def __str__(self) -> str:
        return f"The flow platform refused ({self.status}): {self.reason}."


class FlowFaulted(FlowClientError):
    """The flow ended with faults; `faults` has their names and messages."""

    def __init__(self, state_id: str, faults: tuple[tuple[str, str], ...]) -> None:
        super().__init__(state_id, faults)
        self.state_id, self.faults = state_id, faults

    def __str__(self) -> str:
        said = "; ".join(f"{name}: {message}" for name, message in self.faults)
        return f"The flow {self.state_id} ended with a fault: {said}"


class FlowTimedOut(FlowClientError):
    """The flow still waits; it goes on, and can be joined."""

    def __init__(self, state_id: str, join_url: str) -> None:
        super().__init__(state_id, join_url)
        self.state_id, self.join_url = state_id, join_url

    def __str__(self) -> str:
        return f"The flow {self.state_id} still waits; it can be joined at {self.join_url}."


class FlowUnreachable(FlowClientError):
    """No answer came; whether the platform saw the request may not be known."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url, self.reason = url, reason

    def __str__(self) -> str:
        return f"The flow platform at {self.url} does not answer: {self.reason}."


class Fault(AtomError):
    """Raise it in a process to say no: the flow receives the message as a fault.

    The message is shown to the person who runs the flow: one sentence, at most 500 characters.
    With `entry` (an input's name in Flow, or `Input.Property`) it is a fault of that value and
    the name is its code; without, it is a root fault of that name.
    """

    def __init__(self, message: str, name: str = "Fault", entry: str | None = None) -> None:
        super().__init__(message, name, entry)
        self.message, self.name, self.entry = message, name, entry

    @property
    def faults(self) -> "tuple[Fault, ...]":
        """Itself, as the one of several."""
        return (self,)

    def __str__(self) -> str:
        return self.message


class Faults(AtomError):
    """Raise it to report several faults at once; root faults of one name replace each other."""

    def __init__(self, *faults: Fault) -> None:
        if not faults:
            raise ValueError("Faults needs at least one Fault")
        super().__init__(*faults)
        self.faults = faults

    def __str__(self) -> str:
        return " ".join(fault.message for fault in self.faults)
