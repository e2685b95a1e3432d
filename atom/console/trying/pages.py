"""The pages on which a service is installed and its message actions are run."""

import base64
from collections.abc import Mapping
from typing import Any, Final

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from atom.catalog import Catalog
from atom.console.documents import parts
from atom.console.trying.forms import action_form, values, with_rows
from atom.console.trying.saved import saved_test
from atom.redaction import masked
from atom.sandbox.client import SandboxClient
from atom.sandbox.flows import FlowStatus
from atom.sandbox.problems import SandboxError
from atom.settings import Settings

_SHOWN_FLOWS: Final = 20


def add_to(
    blueprint: Blueprint, catalog: Catalog, settings: Settings, sandbox: SandboxClient
) -> None:
    """Add the pages."""
    _add_installing(blueprint, catalog, settings, sandbox)
    _add_connection(blueprint, sandbox)
    _add_running(blueprint, settings, sandbox)


def _add_installing(
    blueprint: Blueprint, catalog: Catalog, settings: Settings, sandbox: SandboxClient
) -> None:
    @blueprint.get("")
    def start() -> str:
        ours = {
            name: f"{settings.listener}{service.path}" for name, service in catalog.services.items()
        }
        problem, connections, flows = "", [], []
        try:
            connections, flows = sandbox.connections(), sandbox.flows()
        except SandboxError as error:
            problem = str(error)
        return render_template(
            "try/start.html",
            ours=ours,
            connections=connections,
            flows=flows[:_SHOWN_FLOWS],
            problem=problem,
            asked=request.args.get("url", ""),
        )

    @blueprint.post("/install")
    def install() -> AnyResponse:
        url = request.form.get("url", "").strip()
        name, token = request.form.get("name", ""), request.form.get("token", "")
        authorization = None
        if name or token:
            pair = base64.b64encode(f"{name}:{token}".encode()).decode()
            authorization = f"Basic {pair}"
        client = SandboxClient(settings.sandbox, authorization=authorization)
        try:
            client.install(url)
        except SandboxError as error:
            flash(str(error), "bad")
            return redirect(url_for(".start", url=url), 303)
        finally:
            client.close()
        return redirect(url_for(".service", url=url), 303)


def _add_connection(blueprint: Blueprint, sandbox: SandboxClient) -> None:
    @blueprint.get("/service")
    def service() -> str:
        connection = connection_of(sandbox)
        elements = (connection["description"].get("install") or {}).get("typeElements") or []
        return render_template(
            "try/service.html",
            connection=connection,
            types=[each for each in elements if each.get("bindings")],
        )

    @blueprint.post("/configuration")
    def configure() -> AnyResponse:
        connection = connection_of(sandbox)
        declared = connection["description"].get("configurationValues") or []
        names = [each["developerName"] for each in declared]
        filled = {name: request.form.get(f"c-{at}", "") for at, name in enumerate(names)}
        # An empty field keeps a value; one that was lost is removed.
        lost = connection["lostValues"]
        typed = {name: text for name, text in filled.items() if text or name in lost}
        sandbox.install(connection["url"], typed)
        flash("The configuration values go with every request from here on.", "good")
        return redirect(url_for(".service", url=connection["url"]), 303)


def _add_running(blueprint: Blueprint, settings: Settings, sandbox: SandboxClient) -> None:
    @blueprint.route("/action", methods=["GET", "POST"])
    def action() -> str | AnyResponse:
        connection, name = connection_of(sandbox), request.args.get("action", "")
        declared = _action(connection, name)
        typed = dict(request.form)
        add, remove = typed.pop("add", ""), typed.pop("remove", "")
        if add or remove:
            typed = with_rows(typed, add, remove)
        form = action_form(connection["description"], declared, typed)
        is_sent = request.method == "POST" and not add and not remove
        if is_sent and not any(each.has_problem for each in form):
            try:
                flow = sandbox.start(connection["url"], name, values(form))
            except SandboxError as error:
                flash(str(error), "bad")
            else:
                return redirect(url_for(".flow", flow_id=flow), 303)
        return render_template(
            "try/action.html",
            connection=connection,
            action=declared,
            form=form,
            shows_problems=is_sent,
        )

    @blueprint.get("/flows/<flow_id>")
    def flow(flow_id: str) -> str:
        found = _flow(sandbox, flow_id)
        ends = [each["details"] for each in found["events"] if each["kind"] == "resumed"]
        return render_template(
            "try/flow.html",
            flow=found,
            is_over=FlowStatus(found["status"]).is_over,
            end=ends[-1] if ends else None,
            inputs=parts({"inputs": found["events"][0]["details"].get("inputs")})
            if found["events"]
            else [],
            outputs=parts(ends[-1]) if ends else [],
            messages=sandbox.messages(flow_id),
            service_url=_service_url(found),
        )

    @blueprint.get("/flows/<flow_id>/test.py")
    def test(flow_id: str) -> Response:
        found = _flow(sandbox, flow_id)
        if not any(each["kind"] == "resumed" for each in found["events"]):
            abort(404)
        text = saved_test(settings.sandbox, _service_url(found), found)
        response = Response(text, content_type="text/x-python; charset=utf-8")
        response.headers["Content-Disposition"] = 'attachment; filename="test_tried.py"'
        return response


def connection_of(sandbox: SandboxClient) -> dict[str, Any]:
    """The installed service that the query string names; ends the request where there is none."""
    url = request.args.get("url", "").rstrip("/")
    found = [each for each in sandbox.connections() if each["url"] == url]
    return found[0] if found else abort(404)


def _action(connection: Mapping[str, Any], name: str) -> dict[str, Any]:
    declared = connection["description"].get("actions") or []
    found = [each for each in declared if each["developerName"] == name]
    return dict(found[0]) if found else abort(404)


def _flow(sandbox: SandboxClient, flow_id: str) -> dict[str, Any]:
    """A flow with all that happened to it, without the secrets that were typed."""
    found: dict[str, Any] = masked(sandbox.flow(flow_id))
    return found


def _service_url(flow: Mapping[str, Any]) -> str:
    url = flow["events"][0]["details"]["url"] if flow["events"] else ""
    return str(url).partition("/actions/")[0]
