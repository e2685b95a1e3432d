"""Files that flows list and upload, and a process that reads what was uploaded.

They are kept in the folder `documents` of the working directory, or in DOCUMENTS_FOLDER.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from atom import Execution, Fault, FlowService, Page, Profile, Query, UploadedFile, fields

documents = FlowService("Documents", summary="Files that flows list and upload")
files = documents.file_resource("/file")

_TYPES_WITH_LINES = ("text/", "application/json")


def folder() -> Path:
    return Path(os.environ.get("DOCUMENTS_FOLDER", "documents"))


@files.list
def list_files(query: Query, execution: Execution) -> Page:
    return query.page(_stored())


@files.upload
def upload_file(file: UploadedFile, execution: Execution) -> dict[str, Any]:
    # The execution's own id: should the worker be lost, the second attempt replaces the first.
    place = folder() / execution.id
    place.mkdir(parents=True, exist_ok=True)
    with (place / "content").open("wb") as content:
        shutil.copyfileobj(file, content)
    described = {
        "id": execution.id,
        "name": file.name,
        "kind": "file",
        "mime_type": file.content_type,
        "description": f"{file.size} bytes",
        "date_created": datetime.now(UTC).isoformat(),
    }
    # Last and in one move: a file without its description was never uploaded.
    draft = place / f"{uuid4()}.draft"
    draft.write_text(json.dumps(described))
    draft.rename(place / "description.json")
    return described


class CountRequest(Profile):
    id = fields.String(data_key="File Id", required=True)


class CountResponse(Profile):
    name = fields.String(data_key="Name")
    lines = fields.Integer(data_key="Lines")
    words = fields.Integer(data_key="Words")


@documents.message_action(
    "Count", request=CountRequest, response=CountResponse, wait_message="Reading the file…"
)
def count(request: Mapping[str, Any], execution: Execution) -> dict[str, Any]:
    """Counts the lines and words of an uploaded text file."""
    described = _described(request["id"])
    if not described["mime_type"].startswith(_TYPES_WITH_LINES):
        raise Fault(f"{described['name']} is no text file.", name="NotText", entry="File Id")
    lines = words = 0
    with (folder() / described["id"] / "content").open(encoding="utf-8", errors="replace") as text:
        for line in text:
            lines, words = lines + 1, words + len(line.split())
            if lines % 100_000 == 0:
                execution.progress(f"{lines:,} lines so far")
    return {"name": described["name"], "lines": lines, "words": words}


def _stored() -> Iterator[dict[str, Any]]:
    for place in sorted(folder().glob("*/description.json")):
        yield json.loads(place.read_text())


def _described(id: str) -> dict[str, Any]:
    try:
        place = folder() / str(UUID(id)) / "description.json"
        described: dict[str, Any] = json.loads(place.read_text())
    except (ValueError, FileNotFoundError):
        raise Fault(f"There is no file {id}.", name="NoSuchFile", entry="File Id") from None
    return described
