"""Reading what may be encrypted of one execution: strictly, or as much as our keys allow."""

from atom.errors import Unreadable
from atom.store.encryption import Cipher


class Reader:
    """Reads the values of one execution."""

    def __init__(self, cipher: Cipher, execution_id: str, *, is_lenient: bool = False) -> None:
        """Make one; a lenient one leaves out what it cannot read, and says so in `failure`."""
        self.execution_id = execution_id
        self.failure: Unreadable | None = None
        self._cipher, self._is_lenient = cipher, is_lenient

    def content(self, stored: bytes | None) -> bytes | None:
        """A value that `Cipher.seal` made; None where there is none.

        Raises:
            Unreadable: we lack its key, and are not lenient.
        """
        try:
            return stored and self._cipher.unseal(stored, self._whose)
        except Unreadable as failure:
            self._leave_out(failure)
            return None

    def text(self, stored: bytes | None) -> str | None:
        """The same as text."""
        content = self.content(stored)
        return None if content is None else content.decode()

    def decrypted(self, encrypted: bytes) -> bytes | None:
        """The same for what `Cipher.encrypt` made."""
        try:
            return self._cipher.decrypt(encrypted, self._whose)
        except Unreadable as failure:
            self._leave_out(failure)
            return None

    def strict(self) -> "Reader":
        """Return a reader of the same execution that raises Unreadable."""
        return Reader(self._cipher, self.execution_id)

    @property
    def _whose(self) -> str:
        return f"execution {self.execution_id}"

    def _leave_out(self, failure: Unreadable) -> None:
        if not self._is_lenient:
            raise failure
        self.failure = failure
