"""ExecutionArtifacts: one execution with its entries, documents and log, as a zip file."""

from dataclasses import asdict
from io import BytesIO
from typing import Any, Final
from urllib.parse import quote
from zipfile import ZIP_DEFLATED, ZipFile

import orjson
from flask import Blueprint, Response, request

from atom.errors import InvalidRequest, NotFound
from atom.execution.listing import copies_document, document
from atom.platform_api.problems import answer
from atom.platform_api.requests import json_object, named_text
from atom.records import Execution
from atom.store import ExecutionStore

_OPTIONS: Final = orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z


def create_blueprint(store: ExecutionStore) -> Blueprint:
    """Build the request for a download, and the download."""
    blueprint = Blueprint("execution_artifacts", __name__)

    @blueprint.post("/<account>/ExecutionArtifacts")
    def query(account: str) -> Response:
        execution_id = named_text(json_object("executionId"), "executionId")
        if not execution_id:
            raise InvalidRequest("Name the execution in “executionId”.")
        find(execution_id)
        url = f"{request.url_root}{quote(account)}/ExecutionArtifacts/{execution_id}"
        said = {"statusCode": "202", "message": "Beginning download.", "url": url}
        return answer({"@type": "LogDownload", **said}, 202)

    @blueprint.get("/<account>/ExecutionArtifacts/<execution_id>")
    def download(account: str, execution_id: str) -> Response:
        execution = find(execution_id)
        log = [asdict(line) for line in store.log(execution_id)]
        copies = copies_document(store.copies(execution))
        content = {**document(execution, full=True), "log": log, **copies}
        response = Response(_zipped({"execution.json": content}), mimetype="application/zip")
        name = f"execution-{execution_id}.zip"
        response.headers.set("Content-Disposition", "attachment", filename=name)
        return response

    def find(execution_id: str) -> Execution:
        execution = store.get(execution_id)
        if execution is None:
            raise NotFound(f"There is no execution {execution_id} (or it outlived its retention).")
        return execution

    return blueprint


def _zipped(files: dict[str, Any]) -> bytes:
    """Return documents as the files of a zip file."""
    target = BytesIO()
    with ZipFile(target, "w", ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, orjson.dumps(content, option=_OPTIONS))
    return target.getvalue()
