"""The changes that `compare_metadata` reports between two versions of a service."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atom import FlowService, Profile, fields
from atom.errors import InvalidRequest
from atom.profile import check_type_names
from atom.protocol.compatibility import ChangeKind, Subject, compare_metadata
from atom.protocol.installed import read_metadata
from atom.protocol.metadata import ActionDescription, TypeDescription, describe_service
from atom.protocol.objects import Entry
from atom.protocol.values import ContentType

SIMPLE_TYPES = [each for each in ContentType if not each.is_structure]
NAMES = st.text("abcXYZ 1é", min_size=1, max_size=6)


@dataclass(frozen=True)
class Version:
    """One version of a service, as the parts of its declaration."""

    actions: tuple[ActionDescription, ...]
    objects: tuple[TypeDescription, ...]
    configuration: tuple[Entry, ...]
    has_files: bool

    @property
    def metadata(self):
        types = check_type_names(
            [entries for each in self.actions for entries in (each.inputs, each.outputs)]
        )
        plain = [TypeDescription(name, "", entries) for name, entries in types.items()]
        document = describe_service(
            self.actions, [*plain, *self.objects], self.configuration, has_files=self.has_files
        )
        return read_metadata(document)


def unique(elements, least=0):
    return st.lists(elements, min_size=least, max_size=3, unique_by=lambda each: each.name).map(
        tuple
    )


SIMPLE = st.builds(Entry, NAMES, st.sampled_from(SIMPLE_TYPES), st.booleans())


@st.composite
def entries(draw, prefix, depth=2):
    """Entries of a profile, with the type names that `atom.profile` gives them."""
    drawn = list(draw(unique(SIMPLE)))
    if depth and draw(st.booleans()):
        name = f"Nested {draw(NAMES)}"
        kind = draw(st.sampled_from([ContentType.OBJECT, ContentType.LIST]))
        # Named by its depth: one name may not stand for two structures.
        type_name = f"{prefix} - {depth} {name}"
        inner = draw(entries(prefix, depth - 1))
        drawn.append(Entry(name, kind, draw(st.booleans()), type_name, inner))
    return tuple(drawn)


@st.composite
def actions(draw):
    name = draw(NAMES)
    inputs = draw(entries(f"{name} REQUEST"))
    outputs = draw(entries(f"{name} RESPONSE"))
    return ActionDescription(name, "", inputs, outputs)


OBJECTS = st.builds(
    lambda name, properties: TypeDescription(f"Object {name}", "", properties, is_bound=True),
    NAMES,
    unique(SIMPLE),
)
VERSIONS = st.builds(Version, unique(actions()), unique(OBJECTS), unique(SIMPLE), st.booleans())
FULL_VERSIONS = st.builds(
    Version, unique(actions(), 1), unique(OBJECTS, 1), unique(SIMPLE, 1), st.booleans()
)


def changes(old, new):
    """Return subject, kind and name of each change."""
    return [(c.subject, c.kind, c.name) for c in compare_metadata(old.metadata, new.metadata)]


def changed(parts, part, **attributes):
    return tuple(replace(each, **attributes) if each is part else each for each in parts)


def without(parts, part):
    return tuple(each for each in parts if each is not part)


@given(VERSIONS)
def test_equal_metadata_has_no_changes(version):
    assert changes(version, version) == []


@given(VERSIONS, VERSIONS)
def test_each_version_pair_breaks_in_one_direction_what_is_added_in_the_other(old, new):
    there, back = changes(old, new), changes(new, old)
    mirrored = {
        ChangeKind.REMOVED: (ChangeKind.ADDED, ChangeKind.ADDED_AS_REQUIRED),
        ChangeKind.BECAME_REQUIRED: (ChangeKind.BECAME_OPTIONAL,),
        ChangeKind.TYPE_CHANGED: (ChangeKind.TYPE_CHANGED,),
    }
    for kind, mirrors in mirrored.items():
        forward = sorted((s, n) for s, k, n in there if k is kind)
        backward = sorted((s, n) for s, k, n in back if k in mirrors)
        assert forward == backward


@given(FULL_VERSIONS, st.data())
def test_removed_action_is_one_change(version, data):
    action = data.draw(st.sampled_from(version.actions))
    new = replace(version, actions=without(version.actions, action))
    assert changes(version, new) == [(Subject.ACTION, ChangeKind.REMOVED, action.name)]
    assert changes(new, version) == [(Subject.ACTION, ChangeKind.ADDED, action.name)]


@given(FULL_VERSIONS, st.data())
def test_removed_data_action_is_one_change(version, data):
    declared = data.draw(st.sampled_from(version.objects))
    new = replace(version, objects=without(version.objects, declared))
    assert changes(version, new) == [(Subject.DATA_ACTION, ChangeKind.REMOVED, declared.name)]
    assert changes(new, version) == [(Subject.DATA_ACTION, ChangeKind.ADDED, declared.name)]


@given(VERSIONS)
def test_removed_file_resources_are_one_change(version):
    old, new = replace(version, has_files=True), replace(version, has_files=False)
    assert changes(old, new) == [(Subject.FILES, ChangeKind.REMOVED, "")]
    assert changes(new, old) == [(Subject.FILES, ChangeKind.ADDED, "")]


def with_entries(version, place, new_entries):
    """Return the version with other entries at a place: a subject, and its owner."""
    subject, owner = place
    match subject:
        case Subject.INPUT:
            return replace(version, actions=changed(version.actions, owner, inputs=new_entries))
        case Subject.OUTPUT:
            return replace(version, actions=changed(version.actions, owner, outputs=new_entries))
        case Subject.PROPERTY:
            return replace(version, objects=changed(version.objects, owner, properties=new_entries))
    return replace(version, configuration=new_entries)


@st.composite
def places(draw):
    """A version, a place in it that holds entries, and these entries."""
    version = draw(FULL_VERSIONS)
    found = [((Subject.CONFIGURATION_VALUE, None), version.configuration)]
    for action in version.actions:
        found.append(((Subject.INPUT, action), action.inputs))
        found.append(((Subject.OUTPUT, action), action.outputs))
    for declared in version.objects:
        found.append(((Subject.PROPERTY, declared), declared.properties))
    place, held = draw(st.sampled_from([(place, held) for place, held in found if held]))
    return version, place, held


@given(places(), st.data())
def test_removed_entry_is_one_change(drawn, data):
    version, place, held = drawn
    entry = data.draw(st.sampled_from(held))
    new = with_entries(version, place, without(held, entry))
    assert changes(version, new) == [(place[0], ChangeKind.REMOVED, entry.name)]
    is_sent = place[0] in (Subject.INPUT, Subject.CONFIGURATION_VALUE)
    kind = ChangeKind.ADDED_AS_REQUIRED if is_sent and entry.required else ChangeKind.ADDED
    assert changes(new, version) == [(place[0], kind, entry.name)]


@given(places(), st.data())
def test_changed_content_type_is_one_change(drawn, data):
    version, place, held = drawn
    entry = data.draw(st.sampled_from(held))
    kind = data.draw(st.sampled_from([k for k in SIMPLE_TYPES if k is not entry.content_type]))
    other = replace(entry, content_type=kind, type_name=None, entries=())
    new = with_entries(version, place, changed(held, entry, **vars_of(other)))
    assert changes(version, new) == [(place[0], ChangeKind.TYPE_CHANGED, entry.name)]


def vars_of(entry):
    return {name: getattr(entry, name) for name in ("content_type", "type_name", "entries")}


@given(places(), st.data())
def test_entry_that_became_required_breaks_only_where_flows_send_it(drawn, data):
    version, place, held = drawn
    entry = data.draw(st.sampled_from(held))
    old = with_entries(version, place, changed(held, entry, required=False))
    new = with_entries(version, place, changed(held, entry, required=True))
    if place[0] in (Subject.INPUT, Subject.CONFIGURATION_VALUE):
        assert changes(old, new) == [(place[0], ChangeKind.BECAME_REQUIRED, entry.name)]
        assert changes(new, old) == [(place[0], ChangeKind.BECAME_OPTIONAL, entry.name)]
    else:
        assert changes(old, new) == changes(new, old) == []


@given(
    VERSIONS,
    st.sampled_from([Subject.INPUT, Subject.OUTPUT]),
    st.sampled_from([ContentType.OBJECT, ContentType.LIST]),
    unique(SIMPLE, 1),
    st.integers(0, 2),
)
def test_removed_property_of_a_nested_type_is_one_change_of_its_action(
    version, subject, kind, properties, index
):
    entry = Entry("Outer", kind, False, "Outer type", properties)
    around = Entry("Around", kind, False, "Around type", (entry,))
    action = ActionDescription("With nested types", "", (), ())
    place = subject, action
    version = replace(version, actions=(*version.actions, action))
    removed = properties[index % len(properties)]
    thinner = replace(entry, entries=without(properties, removed))
    full = with_entries(version, place, (around,))
    less = with_entries(version, place, (replace(around, entries=(thinner,)),))
    for old, new, change_kind in (
        (full, less, ChangeKind.REMOVED),
        (less, full, ChangeKind.ADDED),
    ):
        (change,) = compare_metadata(old.metadata, new.metadata)
        found = change.subject, change.kind, change.name
        assert found == (Subject.PROPERTY, change_kind, removed.name)
        assert (change.type_name, change.action) == ("Outer type", action.name)


# --- hints at renamed parts, and sentences


def service(configure):
    made = FlowService("CRM")
    configure(made)
    return read_metadata(made.describe())


def action(request=None, response=None, name="Retrieve"):
    def configure(made):
        made.message_action(name, request=request, response=response)(lambda request, execution: {})

    return service(configure)


def profile(**entries):
    return type("Entries", (Profile,), dict(entries))


def test_renamed_input_is_a_removed_and_an_added_one_with_a_hint():
    old = action(profile(first=fields.String(data_key="First Name")))
    new = action(profile(first=fields.String(data_key="Given Name")))
    removed, added = compare_metadata(old, new)
    assert removed.message == (
        "Input “First Name” was removed. The value that flows send is ignored. "
        "It was possibly renamed to “Given Name”."
    )
    assert added.message == "Input “Given Name” was added."
    assert (removed.breaks, added.breaks) == (True, False)


def test_renamed_output_with_an_object_has_a_hint():
    inner = profile(city=fields.String(data_key="City"))
    old = action(response=profile(home=fields.Nested(inner, data_key="Address")))
    new = action(response=profile(home=fields.Nested(inner, data_key="Home")))
    removed, _ = compare_metadata(old, new)
    assert removed.renamed_to == "Home"


def test_added_entry_of_another_type_is_not_a_hint():
    old = action(response=profile(number=fields.Integer(data_key="Number")))
    new = action(response=profile(number=fields.String(data_key="Numbers")))
    removed, _ = compare_metadata(old, new)
    assert removed.renamed_to == ""


def test_of_several_candidates_the_most_similar_is_the_hint():
    one = profile(a=fields.String(data_key="Street"), b=fields.String(data_key="Town"))
    two = profile(a=fields.String(data_key="Streets"), b=fields.String(data_key="Country"))
    removed = [each for each in compare_metadata(action(one), action(two)) if each.breaks]
    assert {each.name: each.renamed_to for each in removed} == {"Street": "Streets", "Town": ""}


def test_renamed_action_has_a_hint():
    entries = profile(a=fields.String(data_key="A"))
    removed, added = compare_metadata(
        action(entries, entries, "Retrieve"), action(entries, entries, "Fetch")
    )
    assert removed.message == (
        "Action “Retrieve” was removed. Flows that call it get 404. "
        "It was possibly renamed to “Fetch”."
    )
    assert (added.action, added.name) == ("Fetch", "Fetch")


def test_changed_type_names_both():
    inner = profile(a=fields.String(data_key="A"))
    old = action(profile(lines=fields.Nested(inner, data_key="Lines")))
    new = action(profile(lines=fields.List(fields.Nested(inner), data_key="Lines")))
    (change,) = compare_metadata(old, new)
    assert change.message == (
        "Input “Lines” changed its type from Object of “Retrieve REQUEST - Lines” to "
        "List of “Retrieve REQUEST - Lines”."
    )


# --- metadata of other listeners


def metadata(**parts):
    return read_metadata({"actions": [], **parts})


def test_null_lists_and_a_missing_installation_are_empty():
    document = {
        "actions": [{"developerName": "Do", "serviceInputs": None}],
        "configurationValues": None,
        "install": None,
    }
    assert compare_metadata(read_metadata(document), read_metadata(document)) == []


@pytest.mark.parametrize("name", ["required", "isRequired"])
def test_required_is_read_by_both_of_its_names(name):
    value = {"developerName": "Key", "contentType": "contentstring"}
    old = metadata(configurationValues=[value])
    new = metadata(configurationValues=[{**value, name: True}])
    (change,) = compare_metadata(old, new)
    assert change.kind is ChangeKind.BECAME_REQUIRED


def test_outcomes_and_paths_are_compared():
    def declared(path, *outcomes):
        outcome_list = [{"developerName": each} for each in outcomes]
        return metadata(
            actions=[
                {"developerName": "Do", "uriPart": path, "serviceActionOutcomes": outcome_list}
            ]
        )

    found = compare_metadata(declared("actions/Do", "Yes", "No"), declared("do", "Yes", "Never"))
    assert [(each.subject, each.kind, each.name) for each in found] == [
        (Subject.ACTION, ChangeKind.PATH_CHANGED, "Do"),
        (Subject.OUTCOME, ChangeKind.REMOVED, "No"),
        (Subject.OUTCOME, ChangeKind.ADDED, "Never"),
    ]
    assert "from actions/Do to do" in found[0].message


def test_type_that_nothing_uses_is_compared():
    install = {"typeElements": [{"developerName": "Alone", "properties": []}]}
    (change,) = compare_metadata(metadata(install=install), metadata())
    assert (change.subject, change.kind) == (Subject.TYPE, ChangeKind.REMOVED)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ([], "must be a JSON object"),
        ({"message": "no"}, "actions"),
        ({"actions": [{}]}, "actions[0].developerName"),
        (
            {"actions": [{"developerName": "A", "serviceInputs": [{"developerName": "I"}]}]},
            "actions[0].serviceInputs[0].contentType",
        ),
    ],
)
def test_other_documents_are_refused(document, says):
    with pytest.raises(InvalidRequest) as refusal:
        read_metadata(document)
    assert says in str(refusal.value)
