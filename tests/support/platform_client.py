"""The `boomi` client, as scripts written for the platform use it, against an Atom of a test."""

import pytest
from boomi import Boomi
from boomi.models import (
    DynamicProcessProperty,
    ExecutionRecordGroupingExpression,
    ExecutionRecordQueryConfig,
    ExecutionRecordQueryConfigQueryFilter,
    ExecutionRecordSimpleExpression,
    ExecutionRequest,
    ExecutionRequestDynamicProcessProperties,
    ListenerStatusGroupingExpression,
    ListenerStatusQueryConfig,
    ListenerStatusQueryConfigQueryFilter,
    ListenerStatusSimpleExpression,
)
from boomi.net.transport.api_error import ApiError

from tests.support.waiting import until

ACCOUNT = "acme-1A2B3C"


def a_client(console, username, token):
    return Boomi(
        account_id=ACCOUNT,
        username=username,
        password=token,
        base_url=console + "/api/rest/v1/{accountId}",
    )


def where(name, operator, *arguments):
    return ExecutionRecordSimpleExpression(
        operator=operator, property=name, argument=list(arguments)
    )


def all_of(*expressions):
    return ExecutionRecordGroupingExpression(operator="and", nested_expression=list(expressions))


def any_of(*expressions):
    return ExecutionRecordGroupingExpression(operator="or", nested_expression=list(expressions))


def a_query(expression):
    return ExecutionRecordQueryConfig(
        query_filter=ExecutionRecordQueryConfigQueryFilter(expression=expression)
    )


def pages(client, expression):
    """Every page of a query, as long as there is a token for another one."""
    page = client.execution_record.query_execution_record(a_query(expression))
    while True:
        yield page.result
        assert page.number_of_results == len(page.result)
        token = getattr(page, "query_token", None)
        if token is None:
            return
        page = client.execution_record.query_more_execution_record(token)


def found(client, expression):
    return [each for page in pages(client, expression) for each in page]


def start(client, process_id, properties=None, **more):
    """The id of the execution that a request started."""
    dynamic = [DynamicProcessProperty(name, value) for name, value in (properties or {}).items()]
    request = ExecutionRequest(
        process_id=process_id,
        dynamic_process_properties=ExecutionRequestDynamicProcessProperties(dynamic),
        **{"atom_id": "flow-atom", **more},
    )
    return client.execution_request.create_execution_request(request).request_id


def listeners(client, *of):
    """The status of each listener, by its id; of those named, or of all."""
    container = ListenerStatusSimpleExpression("EQUALS", "containerId", ["flow-atom"])
    named = [ListenerStatusSimpleExpression("EQUALS", "listenerId", [each]) for each in of]
    expression = ListenerStatusGroupingExpression("and", [container, *named])
    token = client.listener_status.async_get_listener_status(
        ListenerStatusQueryConfig(ListenerStatusQueryConfigQueryFilter(expression))
    )
    assert token.response_status_code == 202
    answer = client.listener_status.async_token_listener_status(token.async_token.token)
    assert answer.response_status_code == 200
    return {each.listener_id: each.status for each in answer.result}


def refused(status, call, *arguments, **more):
    """What the platform's Error says of a call that is refused with this status."""
    with pytest.raises(ApiError) as raised:
        call(*arguments, **more)
    assert raised.value.status == status, raised.value.response.body
    body = raised.value.response.body
    assert list(body) == ["@type", "message"]
    assert body["@type"] == "Error"
    return body["message"]


def ended(client, execution_id):
    """Its record, once it has ended."""

    def look():
        record = client.execution_record.get_execution_record(execution_id)
        return record if record and record.status not in ("ENQUEUED", "INPROCESS") else None

    return until(look, f"the end of {execution_id}")


def change(client, action, listener=None, container="flow-atom"):
    asked = {"action": action, "container_id": container}
    client.change_listener_status.create_change_listener_status(
        {**asked, **({"listener_id": listener} if listener else {})}
    )
