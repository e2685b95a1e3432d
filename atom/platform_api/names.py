"""What we call ourselves and our processes towards the platform's clients."""

from typing import Final

# The platform knows many Atoms, a store of ours knows one.
ATOM_ID: Final = "flow-atom"

ATOM_KEYS: Final = ("atomId", "atomName")


def check_atom(given: object) -> str | None:
    """Why an atomId or containerId is not ours; None where it is, or is left out."""
    if given in (None, "", ATOM_ID):
        return None
    return f"There is no Atom “{given}” here; this one is “{ATOM_ID}”."
