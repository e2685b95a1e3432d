"""Trying a Flow Service as a flow platform sees it, by way of the sandbox.

The sandbox asks the service, and takes its callbacks; the console asks the sandbox alone, which is
where the settings say.
"""

from typing import Final

from flask import Blueprint, Response, render_template

from atom.catalog import Catalog
from atom.console.trying import data, pages
from atom.sandbox.client import SandboxClient
from atom.sandbox.problems import SandboxError
from atom.settings import Settings

# What its forms may hold, in bytes: whole documents, and files.
LIMITS: Final = {
    "trying.action": 4 * 1024 * 1024,
    "trying.data": 4 * 1024 * 1024,
    "trying.files": 64 * 1024 * 1024,
}


def create_blueprint(catalog: Catalog, settings: Settings) -> Blueprint:
    """Build the pages."""
    blueprint = Blueprint("trying", __name__, url_prefix="/try")
    sandbox = SandboxClient(settings.sandbox)
    pages.add_to(blueprint, catalog, settings, sandbox)
    data.add_to(blueprint, sandbox)

    @blueprint.errorhandler(SandboxError)
    def refused(error: SandboxError) -> Response:
        sentence = str(error)
        return Response(render_template("problem.html", status=502, sentence=sentence), 502)

    return blueprint
