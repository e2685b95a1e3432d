"""flow-atom: an open, self-hosted Atom.

Declare a Flow Service, and the flows that call it wait, show progress and resume.
"""

from atom import fields
from atom.context import Execution
from atom.errors import (
    AtomError,
    DeclarationError,
    Fault,
    Faults,
    SignalTimedOut,
    StepFailed,
)
from atom.files import UploadedFile
from atom.flow.run_api import FlowClient
from atom.object_type import Record
from atom.profile import Profile
from atom.query import Page, Query
from atom.records import Ending, State
from atom.retry import Retry
from atom.service import FlowService

__all__ = [
    "AtomError",
    "DeclarationError",
    "Ending",
    "Execution",
    "Fault",
    "Faults",
    "FlowClient",
    "FlowService",
    "Page",
    "Profile",
    "Query",
    "Record",
    "Retry",
    "SignalTimedOut",
    "State",
    "StepFailed",
    "UploadedFile",
    "fields",
]
