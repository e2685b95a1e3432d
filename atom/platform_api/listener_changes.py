"""changeListenerStatus: a listener is a process of a service, or a service as a whole."""

from typing import Final

from flask import Blueprint, Response

from atom.catalog import Catalog
from atom.errors import AtomError, InvalidRequest, NotFound, StoreUnavailable
from atom.execution import pausing
from atom.platform_api.names import check_atom
from atom.platform_api.problems import error
from atom.platform_api.requests import json_object, named_text
from atom.store import ExecutionStore

# Nothing here has to be started anew: a listener that was restarted listens, and so does one that
# was resumed.
_ACTIONS: Final = ("pause", "pause_all", "resume", "resume_all", "restart", "restart_all")


def create_blueprint(catalog: Catalog, store: ExecutionStore) -> Blueprint:
    """What pauses listeners and lets them listen again."""
    blueprint = Blueprint("listener_changes", __name__)

    @blueprint.post("/<account>/changeListenerStatus")
    def change(account: str) -> Response:
        asked = json_object("listenerId", "containerId", "action")
        refusal = check_atom(asked.get("containerId"))
        if refusal:
            raise InvalidRequest(refusal)
        action, listener = named_text(asked, "action"), named_text(asked, "listenerId")
        if action not in _ACTIONS:
            raise InvalidRequest(f"“action” is one of {', '.join(_ACTIONS)}, not “{action}”.")
        if action.endswith("_all") is bool(listener):
            needs = "takes no" if listener else "needs a"
            raise InvalidRequest(f"The action {action} {needs} “listenerId”.")
        try:
            return pause(listener) if action.startswith("pause") else resume(listener)
        except StoreUnavailable:
            raise
        except AtomError as unknown:
            raise NotFound(str(unknown)) from None

    def pause(listener: str) -> Response:
        pausing.pause(catalog, store, listener or None)
        return Response(mimetype="application/json")

    def resume(listener: str) -> Response:
        if not listener:  # then none stays paused by itself either
            for each in store.paused():
                pausing.resume(catalog, store, None if each == pausing.EVERYTHING else each)
            return Response(mimetype="application/json")
        told = pausing.resume(catalog, store, listener)
        if pausing.paused_since(store.paused(), *listener.split(".", 1)):
            return error(409, " ".join(told))
        return Response(mimetype="application/json")

    return blueprint
