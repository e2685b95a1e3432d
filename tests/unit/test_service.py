"""FlowService: declaring is all there is, and each mistake in it names its culprit."""

import pytest

import atom
from atom import DeclarationError, FlowService, Profile, fields


class Thing(Profile):
    id = fields.String(data_key="ID")


class Line(Profile):
    sku = fields.String(data_key="Sku")


class OtherLine(Profile):
    number = fields.Integer(data_key="Number")


class Order(Profile):
    line = fields.Nested(Line, data_key="Line")


class Clash(Profile):
    line = fields.Nested(Line, data_key="Line")
    inner = fields.Nested(
        Profile.from_dict({"line": fields.Nested(OtherLine, data_key="Line")}, name="Inner"),
        data_key="Inner",
    )


def nothing(request, execution):
    """Does nothing."""


def test_the_public_names_are_those_of_the_readme():
    assert {"FlowService", "Profile", "fields", "Fault", "Execution", "DeclarationError"} <= set(
        atom.__all__
    )
    assert all(hasattr(atom, name) for name in atom.__all__)


def test_a_declared_function_stays_a_plain_function():
    service = FlowService("CRM", summary="Customers")
    assert service.message_action("Nothing")(nothing) is nothing
    process = service.processes["Nothing"]
    assert (process.function, process.task_name) == (nothing, "CRM.Nothing")
    assert (service.path, service.summary) == ("/fs/CRM", "Customers")
    assert "CRM" in repr(service)


def test_options_reach_the_process():
    service = FlowService("CRM")
    service.message_action(
        "Nothing", wait_message="Soon…", sync_timeout=5, timeout=60, queue="slow"
    )(nothing)
    options = service.processes["Nothing"].options
    assert (options.wait_message, options.sync_timeout) == ("Soon…", 5)
    assert (options.timeout, options.queue) == (60, "slow")


def test_priority_and_max_concurrency_reach_every_kind_of_process():
    service = FlowService("CRM", requests_per_second=2.5)
    turns = {"priority": -3, "max_concurrency": 2}
    service.message_action("Nothing", **turns)(nothing)
    service.data_action("Thing", profile=Thing, key="id", **turns).get(nothing)
    service.file_resource("/file", **turns).list(nothing)
    for process in service.processes.values():
        assert (process.options.priority, process.options.max_concurrency) == (-3, 2)
    assert service.requests_per_second == 2.5


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("priority", each) for each in (101, -101, 1.5, "1", True, None)),
        *(("max_concurrency", each) for each in (0, -1, 1.5, "1", True)),
    ],
)
def test_turns_that_nobody_can_have_meant_are_refused(option, value):
    service = FlowService("CRM")
    with pytest.raises(DeclarationError, match=f"“Nothing” of service “CRM”: {option} must be"):
        service.message_action("Nothing", **{option: value})(nothing)
    with pytest.raises(DeclarationError, match=option):
        service.data_action("Thing", profile=Thing, key="id", **{option: value})
    with pytest.raises(DeclarationError, match=option):
        service.file_resource("/file", **{option: value})


@pytest.mark.parametrize("value", [-1, "5", True, float("inf"), float("nan"), None])
def test_a_rate_that_is_none_is_refused(value):
    with pytest.raises(DeclarationError, match="“CRM”: requests_per_second must be a number"):
        FlowService("CRM", requests_per_second=value)


@pytest.mark.parametrize(
    ("summary", "docstring", "shown"),
    [
        ("Given.", "Documented.", "Given."),
        ("", "\n    First line.\n\n    More.\n    ", "First line."),
        ("", "   ", ""),
        ("", None, ""),
    ],
)
def test_the_summary_is_given_or_the_first_line_of_the_docstring(summary, docstring, shown):
    def documented(request, execution):
        pass

    documented.__doc__ = docstring
    service = FlowService("CRM")
    service.message_action("A", summary=summary)(documented)
    assert service.describe()["actions"][0]["developerSummary"] == shown


def test_the_processes_cannot_be_changed_from_outside():
    service = FlowService("CRM")
    with pytest.raises(TypeError):
        service.processes["Nothing"] = nothing


@pytest.mark.parametrize("name", ["CRM", "a", "7", "a-b_c", "x" * 100])
def test_names_a_service_may_have(name):
    assert FlowService(name).path == f"/fs/{name}"


@pytest.mark.parametrize(
    "name",
    ["", " ", "a b", "a/b", "../x", "a.b", "-a", "_a", "ä", "CRM\n", "x" * 101, None, 7, b"CRM"],
    ids=lambda name: repr(name)[:20],
)
def test_names_a_service_may_not_have(name):
    with pytest.raises(DeclarationError) as caught:
        FlowService(name)
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize("name", ["Retrieve", "Look up", "a/b?c", "Größe", "x" * 200])
def test_names_an_action_may_have(name):
    service = FlowService("CRM")
    service.message_action(name)(nothing)
    assert list(service.processes) == [name]


@pytest.mark.parametrize("name", ["", "  ", "\n", "x" * 201, None, 7], ids=lambda n: repr(n)[:20])
def test_names_an_action_may_not_have(name):
    service = FlowService("CRM")
    with pytest.raises(DeclarationError, match="“CRM”"):
        service.message_action(name)(nothing)
    assert not service.processes


def test_a_decorator_without_its_brackets_is_refused():
    service = FlowService("CRM")
    with pytest.raises(DeclarationError, match="“CRM”"):
        service.message_action(nothing)


def test_an_action_is_declared_once():
    service = FlowService("CRM")
    service.message_action("Nothing")(nothing)
    with pytest.raises(DeclarationError, match=r"“CRM”.*“Nothing” twice"):
        service.message_action("Nothing")(lambda request, execution: None)
    assert service.processes["Nothing"].function is nothing


def test_nothing_is_declared_once_it_is_served():
    service = FlowService("CRM")
    service.message_action("Before")(nothing)
    service.freeze()
    with pytest.raises(DeclarationError, match=r"“CRM”.*“After”"):
        service.message_action("After")(nothing)
    assert list(service.processes) == ["Before"]


def test_two_structures_under_one_type_name_are_refused_and_leave_nothing():
    service = FlowService("CRM")
    with pytest.raises(DeclarationError, match=r"“CRM”.*“Buy REQUEST - Line”"):
        service.message_action("Buy", request=Clash)(nothing)
    assert not service.processes
    service.message_action("Buy", request=Order)(nothing)
    assert len(service.describe()["install"]["typeElements"]) == 1


def test_request_and_response_and_each_action_have_types_of_their_own():
    service = FlowService("CRM")
    service.message_action("Buy", request=Order, response=Order)(nothing)
    service.message_action("Sell", request=Order)(nothing)
    types = service.describe()["install"]["typeElements"]
    assert [each["developerName"] for each in types] == [
        "Buy REQUEST - Line",
        "Buy RESPONSE - Line",
        "Sell REQUEST - Line",
    ]


@pytest.mark.parametrize("where", ["request", "response"])
@pytest.mark.parametrize("profile", [Line(), dict, {"a": fields.String()}, "Line", 7], ids=repr)
def test_a_profile_that_is_none_is_refused(where, profile):
    service = FlowService("CRM")
    with pytest.raises(DeclarationError, match="Profile"):
        service.message_action("A", **{where: profile})(nothing)
    assert not service.processes


@pytest.mark.parametrize("where", ["request", "response"])
def test_an_array_of_simple_values_names_profile_and_entry(where):
    class Tags(Profile):
        tags = fields.List(fields.String(), data_key="Tags")

    with pytest.raises(DeclarationError, match=r"Profile Tags, entry “Tags”.*simple values"):
        FlowService("CRM").message_action("A", **{where: Tags})(nothing)


def test_a_bad_option_names_service_action_and_option():
    with pytest.raises(DeclarationError, match=r"“A”.*“CRM”.*sync_timeout"):
        FlowService("CRM").message_action("A", sync_timeout=60)(nothing)
