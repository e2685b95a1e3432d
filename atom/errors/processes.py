"""What a process raises, and what it is told of its steps, waits and results."""

from atom.errors.base import AtomError
from atom.text import text_of


class JournalMismatch(AtomError):
    """An entry of a journal does not fit the code that runs the execution now.

    A worker holds the execution; see `docs/upgrading.md`.
    """


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


class NestedStep(AtomError):
    """A process asked for a step or a wait in the midst of a step."""

    def __init__(self, name: str, within: str) -> None:
        super().__init__(name, within)
        self.name, self.within = name, within

    def __str__(self) -> str:
        return (
            f"“{self.name}” was asked for within step “{self.within}”; a step is recorded as one "
            "thing: ask before or after it."
        )


class WrongThread(AtomError):
    """A thread of its own, an asyncio task or a forked process requested a step or a wait."""

    def __init__(self, name: str, caller: str) -> None:
        super().__init__(name, caller)
        self.name, self.caller = name, caller

    def __str__(self) -> str:
        return (
            f"“{self.name}” was requested in {self.caller}. Steps, waits, map and call belong to "
            "the thread that runs the process, so that every attempt finds them in the same order. "
            "Let the process itself request the step, and start threads or asyncio within it; or "
            "use execution.map."
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
        reason = f": {self.reason}" if self.reason else ""
        return f"Step “{self.name}” failed: {self.kind}{reason}"


class CannotSuspend(AtomError):
    """A process asks to be suspended where it cannot be; the sentence says why."""


class CannotSpawn(AtomError):
    """A process asks for children that cannot be; the sentence says why."""


class ChildFailed(AtomError):
    """The kind of a StepFailed that tells of a child: it failed, timed out or was cancelled."""


class SignalTimedOut(AtomError):
    """Nobody gave the signal within its timeout."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"The signal “{self.name}” did not come in time."


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


class Fault(AtomError):
    """Raise it in a process to say no: the flow receives the message as a fault.

    The message is shown to the person who runs the flow: one sentence, at most 500 characters.
    With `entry` (an input's name in Flow, or `Input.Property`) it is a fault of that value and
    the name is its code; without, it is a root fault of that name. What is passed becomes text:
    an exception or a number as `str` writes it, characters that UTF-8 cannot carry as escapes.
    """

    def __init__(self, message: str, name: str = "Fault", entry: str | None = None) -> None:
        super().__init__(message, name, entry)
        self.message = "No reason was given." if message is None else text_of(message)
        self.name = text_of(name) if name else "Fault"
        self.entry = None if entry is None else text_of(entry)

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
        return " ".join(text_of(fault) for fault in self.faults)
