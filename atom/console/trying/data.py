"""The pages of data actions, as a table, and of file resources."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from atom.console.documents import parts
from atom.console.trying import queries
from atom.console.trying.forms import Input, type_form, values
from atom.console.trying.pages import connection_of
from atom.console.trying.saved import plain
from atom.protocol.values import ContentType
from atom.sandbox.client import Exchange, SandboxClient
from atom.sandbox.problems import SandboxError


def add_to(blueprint: Blueprint, sandbox: SandboxClient) -> None:
    """Add the pages."""
    _add_data(blueprint, sandbox)
    _add_files(blueprint, sandbox)


def _add_data(blueprint: Blueprint, sandbox: SandboxClient) -> None:
    @blueprint.route("/data", methods=["GET", "POST"])
    def data() -> str | AnyResponse:
        connection, type_name = connection_of(sandbox), request.args.get("type", "")
        asked: dict[str, Any] = {name: value for name, value in request.args.items() if value}
        changed = None
        if request.method == "POST":
            changed = _change(sandbox, connection, type_name)
            if not changed.problem:
                flash("Saved." if "save" in request.form else "Deleted.", "good")
                return redirect(url_for(".data", **asked), 303)
            flash(changed.problem, "bad")
        wanted = queries.list_filter(asked)
        found = sandbox.data(connection["url"], type_name, "query", listFilter=wanted)
        return render_template(
            "try/data.html",
            connection=connection,
            type_name=type_name,
            asked=asked,
            properties=_properties(connection, type_name),
            criteria=queries.CRITERIA,
            conditions=range(queries.CONDITIONS),
            wanted=wanted,
            rows=_rows(connection, type_name, found.answer),
            new=type_form(connection["description"], type_name, {}, "new"),
            has_more=bool((found.answer or {}).get("hasMoreResults")),
            problem=found.problem,
            messages=[*(changed.messages if changed else ()), *found.messages],
        )


def _add_files(blueprint: Blueprint, sandbox: SandboxClient) -> None:
    @blueprint.route("/files", methods=["GET", "POST"])
    def files() -> str | AnyResponse:
        connection, path = connection_of(sandbox), request.args.get("path", "/file")
        uploaded = None
        if request.method == "POST":
            file = request.files.get("file")
            if file is None or not file.filename:
                flash("Choose a file first.", "bad")
            else:
                content_type = file.mimetype or "application/octet-stream"
                uploaded = sandbox.upload(
                    connection["url"], path, file.filename, file.read(), content_type
                )
                told = uploaded.problem or f"{file.filename} is uploaded."
                flash(told, "bad" if uploaded.problem else "good")
        found = sandbox.files(connection["url"], path)
        return render_template(
            "try/files.html",
            connection=connection,
            path=path,
            found=parts(found.answer),
            problem=found.problem,
            messages=[*(uploaded.messages if uploaded else ()), *found.messages],
        )


def _change(sandbox: SandboxClient, connection: Mapping[str, Any], type_name: str) -> Exchange:
    """Save or delete the row whose button was pressed: `new`, or its place."""
    url, form = connection["url"], request.form
    if "delete" in form:
        return sandbox.data(url, type_name, "delete", ids=[form.get(f"{form['delete']}-id", "")])
    row = form.get("save", "new")
    inputs = type_form(connection["description"], type_name, dict(form), row)
    problems = [f"{each.name}: {each.problem}" for each in inputs if each.problem]
    if problems:
        return Exchange(None, " ".join(problems), [])
    record = {"id": form.get(f"{row}-id") or None, "values": _given(inputs)}
    try:
        return sandbox.data(url, type_name, "save", records=[record])
    except SandboxError as error:
        return Exchange(None, str(error), [])


def _given(inputs: tuple[Input, ...]) -> dict[str, Any]:
    return {name: value for name, value in values(inputs).items() if value is not None}


def _properties(connection: Mapping[str, Any], type_name: str) -> list[str]:
    """The names that conditions and order may use: those of simple values."""
    for each in (connection["description"].get("install") or {}).get("typeElements") or []:
        if each["developerName"] == type_name:
            return [
                one["developerName"]
                for one in each["properties"]
                if not ContentType(one["contentType"]).is_structure
            ]
    return []


def _rows(
    connection: Mapping[str, Any], type_name: str, answer: Mapping[str, Any] | None
) -> list[tuple[str, str, tuple[Input, ...]]]:
    """The objects found: the place of each, its external id, and its form."""
    rows = []
    for place, each in enumerate((answer or {}).get("objectData") or []):
        key = f"r{place}"
        found = plain(each["properties"])
        empty = type_form(connection["description"], type_name, {}, key)
        typed = {one.key: str(found.get(one.name, "")) for one in empty}
        filled = type_form(connection["description"], type_name, typed, key)
        rows.append((key, each.get("externalId") or "", filled))
    return rows
