"""flow-atom: an open, self-hosted Atom.

Declare a Flow Service, and the flows that call it wait, show progress and resume.
"""

from atom import fields
from atom.context import Execution
from atom.errors import AtomError, DeclarationError, Fault
from atom.profile import Profile
from atom.service import FlowService

__all__ = [
    "AtomError",
    "DeclarationError",
    "Execution",
    "Fault",
    "FlowService",
    "Profile",
    "fields",
]
