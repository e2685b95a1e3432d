"""The OpenAPI documents: valid, and true of the live listener whatever is sent to it."""

import base64

import orjson
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from atom.credentials import create
from atom.flow.transport import Transport
from atom.settings import Settings
from atom.store.credential_store import CredentialStore
from tests.support.roles import TestAtom

SERVICES = ("Shop", "Trial", "Orders", "Contacts", "Documents")
EXAMPLES_EACH = 25
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module", params=["open", "with credentials"])
def api(request, tmp_path_factory):
    """An Atom with all services, and the headers of a caller it lets in."""
    folder = tmp_path_factory.mktemp("openapi")
    atom = TestAtom(
        folder,
        "tests.support.services,tests.support.shop,examples.orders,examples.contacts,"
        "examples.documents",
        ORDERS_DATABASE=str(folder / "orders.sqlite3"),
        ORDERS_PACE_SECONDS="0",
        CONTACTS_DATABASE=f"sqlite:///{folder}/contacts.sqlite3",
        DOCUMENTS_FOLDER=str(folder / "documents"),
    )
    headers = {}
    try:
        if request.param == "with credentials":
            credential, token = create("robot", ())
            CredentialStore(Settings(redis_url=atom.redis.url)).add(credential)
            basic = base64.b64encode(f"robot:{token}".encode()).decode()
            headers["Authorization"] = f"Basic {basic}"
        atom.start_all()
        yield atom, headers
    finally:
        atom.close()


def document_of(api, service):
    atom, headers = api
    transport = Transport()
    reply = transport.get(f"{atom.url}/fs/{service}/openapi.json", headers)
    transport.close()
    assert reply.status == 200
    return orjson.loads(reply.body)


@pytest.mark.parametrize("service", SERVICES)
def test_the_document_is_valid(api, service):
    document = document_of(api, service)
    OpenAPIV31SpecValidator(document).validate()
    assert document["servers"] == [{"url": f"/fs/{service}"}]


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.timeout(600)
def test_nothing_that_is_sent_gets_an_answer_that_is_not_documented(api, service):
    atom, headers = api
    schema = schemathesis.openapi.from_dict(document_of(api, service))
    answers = set()
    for operation in (each.ok() for each in schema.get_all_operations()):
        # Where nothing is sent, nothing can be wrong with it.
        for mode in GenerationMode if operation.body.items else [GenerationMode.POSITIVE]:
            try_out(operation, mode, atom, headers, answers)
    assert {200, 400} <= answers, answers


def try_out(operation, mode, atom, headers, answers):
    @given(
        case=operation.as_strategy(generation_mode=mode),
        is_known=st.booleans(),
        is_let_in=st.booleans() if headers else st.just(True),
    )
    @settings(max_examples=EXAMPLES_EACH, deadline=None, suppress_health_check=list(HealthCheck))
    def send(case, is_known, is_let_in):
        if is_known and isinstance(case.body, dict) and "callbackUri" in case.body:
            case.body["callbackUri"] = f"{atom.sandbox.url}/callback"
        response = case.call_and_validate(
            base_url=f"{atom.url}{operation.schema.raw_schema['servers'][0]['url']}",
            headers=headers if is_let_in else None,
            checks=CHECKS,
        )
        answers.add(response.status_code)
        assert is_let_in or response.status_code == 401 or operation.path.endswith("/health")

    send()
