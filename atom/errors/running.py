"""What stands in the way of those who store, publish and run."""

from atom.errors.base import AtomError


class DeclarationError(AtomError):
    """A service, action or profile is declared in a way that no flow could use."""


class CatalogError(AtomError):
    """A declared service cannot be found or loaded."""


class SettingsError(AtomError):
    """A setting is missing or wrong; the sentence names the variable."""


class StartupError(AtomError):
    """A role cannot start; the sentence says why and what to do."""


class CredentialError(AtomError):
    """A credential cannot be created or revoked; the sentence says why."""


class StoreError(AtomError):
    """Redis did not do what it was asked for."""


class StoreUnavailable(StoreError):
    """Redis does not answer, or answers with an error; nothing is known to be written."""

    is_retryable = True


class StoreForbidden(StoreUnavailable):
    """The Redis user may not do what is needed, or is not known; an operator has to change that."""


class StoreUnanswered(StoreUnavailable):
    """A write was sent and no reply came: it may have been done, and will not be from now on."""


class StoreRefused(StoreError):
    """Redis refuses a value or a command, and will refuse it whenever it is sent again."""


class ValueTooLarge(StoreRefused):
    """A value is larger than Redis takes."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size

    def __str__(self) -> str:
        return (
            f"A value of {self.size} bytes is larger than Redis takes (proto-max-bulk-len). Keep "
            "large data elsewhere and pass on where it is."
        )


class HistoryUnavailable(AtomError):
    """The history database does not answer; what is there is neither lost nor known."""

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


class UnknownFormat(AtomError):
    """Another version of flow-atom wrote an execution, in a format that this one cannot read."""

    def __init__(self, execution_id: str, recorded: int, known: int) -> None:
        super().__init__(execution_id, recorded, known)
        self.execution_id, self.recorded, self.known = execution_id, recorded, known

    def __str__(self) -> str:
        return (
            f"Execution {self.execution_id} has the format {self.recorded}, and this version of "
            f"flow-atom reads the format {self.known}. A worker leaves it to one that reads its "
            "format."
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
