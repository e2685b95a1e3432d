"""What a process knows of its request, the outcomes and faults it answers, and its secrets."""

import re
from urllib.parse import quote

import orjson
import pytest
from redis import Redis

from atom.sandbox import Connector, SandboxError
from tests.support.redis_content import values_by_key
from tests.support.waiting import until

USER = quote(
    "ManyWhoTenantId=t-1&ManyWhoUserId=u-1&ManyWhoToken=canary-user-token&Username=ada"
    "&Email=ada@example.org&FirstName=Ada&LastName=Lovelace"
)
CONFIGURATION = {"Api Key": "canary-api-key", "Discount": "2.5", "Region": "EMEA"}


@pytest.fixture(autouse=True)
def configured(atom):
    atom.platform.configure(f"{atom.url}/fs/Shop", CONFIGURATION)


def resumed(flow):
    status = flow.wait_over(120)
    assert status.is_over, flow.events
    (event,) = flow.events_of("resumed")
    return event.details


def outputs(details):
    return {each["developerName"]: each["contentValue"] for each in details["outputs"]}


def test_a_process_knows_user_configuration_and_properties(atom):
    flow = atom.run("Tell", service="Shop", authorization=USER)
    assert outputs(resumed(flow)) == {
        "User": "Ada Lovelace",
        "Email": "ada@example.org",
        "Discount": "2.5",
        "Key is known": "true",
        "Language": "EN",
        "Flow State": flow.id,
    }


def test_a_flow_without_a_user(atom):
    found = outputs(resumed(atom.run("Tell", service="Shop")))
    assert (found["User"], found["Email"]) == (None, None)


def test_a_configuration_value_of_the_wrong_kind_is_refused(atom):
    atom.platform.configure(f"{atom.url}/fs/Shop", {**CONFIGURATION, "Discount": "much"})
    flow = atom.run("Tell", service="Shop")
    (failed,) = flow.events_of("failed")
    assert failed.details["status"] == 400
    assert "Discount" in failed.details["message"]
    connector = Connector(atom.platform, f"{atom.url}/fs/Shop")
    with pytest.raises(SandboxError, match="Discount") as caught:
        connector.get("Item", "i1")
    connector.close()
    assert caught.value.status == 400


def test_an_outcome_is_selected_by_its_name(atom):
    flow = atom.run("Choose", {"Name": "Done"}, service="Shop")
    details = resumed(flow)
    (call,) = flow.calls.values()
    assert details["selectedOutcomeId"] == call.request["outcomes"][0]["id"]


def test_an_outcome_that_the_step_has_not_fails_clearly(atom):
    flow = atom.run("Choose", {"Name": "Nix"}, service="Shop")
    details = resumed(flow)
    assert details["selectedOutcomeId"] is None
    execution = atom.execution_of(flow)
    assert execution.id in str(details["rootFaults"])
    assert "has no outcome “Nix”; there are: “Done”" in execution.error


def test_value_faults_stand_at_their_value(atom):
    flow = atom.run("Value faults", {"Name": "x"}, service="Shop")
    details = resumed(flow)
    ((sent,),) = [call.request["inputs"] for call in flow.calls.values()]
    assert details["rootFaults"] == {"Closed": "The shop is closed."}
    assert details["valueFaults"] == [
        {
            "valueElementToReferenceId": sent["valueElementId"],
            "valueElementTypeElementPropertyToReferenceId": None,
            "faultCode": "Unknown",
            "faultMessage": "Nobody has this name.",
        }
    ]


def test_faults_as_outputs(atom):
    good = resumed(atom.run("As outputs", {"Name": "yes"}, service="Shop"))
    assert outputs(good) == {
        "Text": "yes",
        "success": "true",
        "errorCode": None,
        "errorMessage": None,
    }
    bad = resumed(atom.run("As outputs", {"Name": "no"}, service="Shop"))
    assert bad["rootFaults"] == {}
    assert outputs(bad) == {
        "Text": None,
        "success": "false",
        "errorCode": "No",
        "errorMessage": "Not this one.",
    }


# --- secrets

CANARIES = [
    b"canary-api-key",
    b"canary-user-token",
    b"canary-password",
    b"canary-cipher",
    b"canary-pin",
]


SHORT_SECRET = re.compile(rb"(?<![A-Za-z0-9])7q(?![A-Za-z0-9])")


def test_short_secret_leaves_no_trace(atom):
    """A PIN in log lines, prints, progress, faults and tracebacks, and at its place."""
    flows = [
        atom.run("Keep", {"Password": "7q", "Cipher": f"canary-cipher-{kind}"}, service="Shop")
        for kind in ("plain", "fault", "break")
    ]
    returned = [resumed(flow) for flow in flows]
    assert outputs(returned[0])["Password"] == "7q"
    assert not SHORT_SECRET.search(str(returned[1]["rootFaults"]).encode())
    executions = [atom.execution_of(flow) for flow in flows]
    until(
        lambda: all(
            atom.store.get(execution.id).callback_state.value == "delivered"
            for execution in executions
        ),
        "the callbacks",
    )
    for execution in executions:
        assert not SHORT_SECRET.search(repr(atom.store.get(execution.id)).encode())
    with Redis.from_url(atom.redis.url) as client:
        for key, value in values_by_key(client).items():
            assert not SHORT_SECRET.search(key + b" " + value), key
    for line in atom.logs().splitlines():
        assert not SHORT_SECRET.search(line), line
    assert b"The request was" in atom.logs()


def test_secrets_leave_no_trace(atom):
    """A canary in every place where a secret can enter; then all that was written is searched."""
    with Redis.from_url(atom.redis.url) as client:
        heard = client.pubsub()
        heard.psubscribe("*")
        flows = [
            atom.run(
                "Keep",
                {"Password": "canary-password", "Cipher": f"canary-cipher-{kind}"},
                service="Shop",
                authorization=USER,
            )
            for kind in ("plain", "fault", "break")
        ]
        returned = [resumed(flow) for flow in flows]
        connector = Connector(atom.platform, f"{atom.url}/fs/Shop", authorization=USER)
        (saved,) = connector.save("Item", [(None, {"Name": "Safe", "Pin": "canary-pin"})])
        connector.close()
        events = []
        while message := heard.get_message(timeout=0.5):
            events.append(repr(message["data"]).encode())
        heard.close()

    # The flow itself gets what it is owed …
    assert outputs(returned[0]) == {"Password": "canary-password", "Cipher": "canary-cipher-plain"}
    assert {each["developerName"]: each["contentValue"] for each in saved["properties"]}[
        "Pin"
    ] == "canary-pin"
    # … also in a fault that quotes a secret, which is shown to people.
    assert "canary" not in str(returned[1]["rootFaults"])
    assert "canary" not in str(returned[2]["rootFaults"])

    executions = [atom.execution_of(flow) for flow in flows]
    until(
        lambda: all(
            atom.store.get(each.id).callback_state.value == "delivered" for each in executions
        ),
        "the callbacks",
    )
    for each in executions:
        shown = orjson.dumps(str(atom.store.get(each.id)))
        assert not [canary for canary in CANARIES if canary in shown]
        assert "••••" in str(atom.store.get(each.id).request)
    with Redis.from_url(atom.redis.url) as client:
        written = values_by_key(client)
    for key, value in written.items():
        assert not [canary for canary in CANARIES if canary in key + value], key
    assert events
    assert not [canary for canary in CANARIES if any(canary in each for each in events)]
    for line in atom.logs().splitlines():
        assert not [canary for canary in CANARIES if canary in line], line
    # What was logged is there, with masks.
    assert b"The request was" in atom.logs()
