"""The integration platform's REST API, as far as it concerns executions and listeners.

For scripts and tools that were written for an Atom of the platform; docs/platform-api.md says what
is served, and what each field maps to.
"""

from atom.platform_api.app import create_app, mounted

__all__ = ["create_app", "mounted"]
