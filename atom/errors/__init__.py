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
│   │   └── TokenMissing    401  a signal without its token
│   ├── Forbidden           403  credentials for other services
│   ├── NotFound            404  no such service, action or path
│   ├── MethodNotAllowed    405
│   ├── RequestTimedOut     408  the body arrived too slowly
│   ├── Conflict            409  it can be done no more
│   ├── RequestTooLarge     413
│   ├── UnsupportedMedia    415
│   │   └── UnsupportedCoding 415  another Content-Encoding than gzip or deflate
│   ├── TooManyLogins       429  failed ones: wait
│   ├── TooManyRequests     429  its tenant or service asks more often than it may
│   ├── Unavailable         503  passing: try again
│   │   ├── Paused          503  an operator paused the service or action
│   │   └── Overloaded      503  too many executions wait for a worker
│   └── TookTooLong         504  a synchronous request outlived its time
├── CredentialError         a credential cannot be created or revoked
├── StoreError              Redis did not do what it was asked for
│   ├── StoreUnavailable         it does not answer, or cannot now
│   │   ├── StoreForbidden       … or its user lacks a permission
│   │   └── StoreUnanswered      … and a write may have been done before
│   └── StoreRefused             it refuses a value or a command, now and later
│       └── ValueTooLarge        … since it is too large
├── HistoryUnavailable      the history database does not answer
├── UnknownFormat           an execution has the format of another version of flow-atom
├── Unreadable              what is stored was encrypted with a key that this role lacks
├── PublishFailed           the broker does not take a message
├── ClaimLost               another worker holds the execution now
├── JournalMismatch         a recorded entry does not fit the code
├── StepResultError         a step returned what cannot be recorded
│   └── StepTooLarge             … since it is too large
├── NestedStep              a step or a wait was asked for within a step
├── WrongThread             … or outside of the thread that runs the process
├── StepFailed              a step raised something other than a Fault
├── CannotSuspend           a process may not wait here, or not for so long
├── CannotSpawn             a process may not have such children
├── ChildFailed             … or one of them broke (the kind of a StepFailed)
├── SignalTimedOut          a signal did not come in time
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

from atom.errors.base import (
    AtomError,
)
from atom.errors.flow_client import (
    FlowClientError,
    FlowFaulted,
    FlowRefused,
    FlowTimedOut,
    FlowUnreachable,
)
from atom.errors.processes import (
    CannotSpawn,
    CannotSuspend,
    ChildFailed,
    Fault,
    Faults,
    InvalidResult,
    JournalMismatch,
    NestedStep,
    SignalTimedOut,
    StepFailed,
    StepResultError,
    StepTooLarge,
    UnknownOutcome,
    WrongThread,
)
from atom.errors.refusals import (
    Conflict,
    Forbidden,
    InvalidRequest,
    MalformedRequest,
    MethodNotAllowed,
    NotFound,
    Overloaded,
    Paused,
    RequestRefused,
    RequestTimedOut,
    RequestTooLarge,
    TokenMissing,
    TookTooLong,
    TooManyLogins,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    UnsupportedCoding,
    UnsupportedMedia,
)
from atom.errors.running import (
    CatalogError,
    ClaimLost,
    CredentialError,
    DeclarationError,
    HistoryUnavailable,
    PublishFailed,
    SettingsError,
    StartupError,
    StoreError,
    StoreForbidden,
    StoreRefused,
    StoreUnanswered,
    StoreUnavailable,
    UnknownFormat,
    Unreadable,
    ValueTooLarge,
)

__all__ = [
    "AtomError",
    "CannotSpawn",
    "CannotSuspend",
    "CatalogError",
    "ChildFailed",
    "ClaimLost",
    "Conflict",
    "CredentialError",
    "DeclarationError",
    "Fault",
    "Faults",
    "FlowClientError",
    "FlowFaulted",
    "FlowRefused",
    "FlowTimedOut",
    "FlowUnreachable",
    "Forbidden",
    "HistoryUnavailable",
    "InvalidRequest",
    "InvalidResult",
    "JournalMismatch",
    "MalformedRequest",
    "MethodNotAllowed",
    "NestedStep",
    "NotFound",
    "Overloaded",
    "Paused",
    "PublishFailed",
    "RequestRefused",
    "RequestTimedOut",
    "RequestTooLarge",
    "SettingsError",
    "SignalTimedOut",
    "StartupError",
    "StepFailed",
    "StepResultError",
    "StepTooLarge",
    "StoreError",
    "StoreForbidden",
    "StoreRefused",
    "StoreUnanswered",
    "StoreUnavailable",
    "TokenMissing",
    "TooManyLogins",
    "TooManyRequests",
    "TookTooLong",
    "Unauthorized",
    "Unavailable",
    "UnknownFormat",
    "UnknownOutcome",
    "Unreadable",
    "UnsupportedCoding",
    "UnsupportedMedia",
    "ValueTooLarge",
    "WrongThread",
]

# Journals name what a step raised by this path, whichever file it is in.
for _name in __all__:
    globals()[_name].__module__ = __name__
