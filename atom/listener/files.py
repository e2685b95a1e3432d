"""`/fs/<Service>/file`: list, upload, and a delete that says it is not supported."""

from flask import Blueprint, Response, g

from atom.catalog import Catalog
from atom.errors import MethodNotAllowed, NotFound, TookTooLong
from atom.file_resource import FileOperation
from atom.listener import measuring, synchronous
from atom.listener.accept import Acceptor
from atom.listener.body import json_document
from atom.listener.multipart import Uploads
from atom.protocol.files import resource_path_of, with_upload


def create_blueprint(
    catalog: Catalog, acceptor: Acceptor, uploads: Uploads, wait_seconds: float
) -> Blueprint:
    """The file resources of every service."""
    blueprint = Blueprint("files", __name__)

    @blueprint.post("/fs/<service>/file")
    def list_files(service: str) -> Response:
        catalog.service(service)
        document = json_document()
        path = resource_path_of(document)
        g.action = f"{path}.{FileOperation.LIST}"[:200]
        process = catalog.file_process(service, path, FileOperation.LIST)
        measuring.asks_for(process)
        asked = process.read(with_upload(document, None))
        return synchronous.answer(acceptor, process, asked, document, wait_seconds)

    @blueprint.post("/fs/<service>/file/content")
    def upload(service: str) -> Response:
        if not catalog.service(service).file_resources:
            raise NotFound(f"Service “{service}” has no file resources.")
        with uploads.read() as (document, stored):
            path = resource_path_of(document)
            g.action = f"{path}.{FileOperation.UPLOAD}"[:200]
            process = catalog.file_process(service, path, FileOperation.UPLOAD)
            measuring.asks_for(process)
            document = with_upload(document, stored)
            asked = process.read(document)
            try:
                return synchronous.answer(acceptor, process, asked, document, wait_seconds)
            except TookTooLong as late:
                if late.is_withdrawn:
                    raise
                # The process may still be reading it, and deletes it at its end.
                problem = late
        raise problem

    @blueprint.post("/fs/<service>/file/delete")
    def delete(service: str) -> Response:
        catalog.service(service)
        raise MethodNotAllowed(
            "Deleting files is not supported: the protocol has no process for it."
        )

    return blueprint
