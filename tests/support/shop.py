"""A service with data actions, files and everything a process can know of its request."""

import hashlib
import time
from datetime import UTC, datetime
from decimal import Decimal

from atom import Fault, Faults, FlowService, Profile, fields

shop = FlowService("Shop", summary="What the tests sell")
shop.configuration_value("Api Key", fields.Password)
shop.configuration_value("Discount", fields.Number)
shop.configuration_value("Region")


class Item(Profile):
    id = fields.String(data_key="ID")
    name = fields.String(data_key="Name", required=True)
    price = fields.Number(data_key="Price")
    count = fields.Integer(data_key="Count")
    sold = fields.Boolean(data_key="Sold")
    added = fields.DateTime(data_key="Added")
    pin = fields.Password(data_key="Pin")


ITEMS = [
    {
        "id": f"i{number}",
        "name": f"Item {number:02}",
        "price": Decimal(number) / 2,
        "count": number if number % 3 else None,
        "sold": number % 2 == 0,
        "added": datetime(2026, 1, 1 + number, tzinfo=UTC),
        "pin": None,
    }
    for number in range(25)
]

item = shop.data_action("Item", profile=Item, key="id", summary="Something on a shelf")


@item.get
def get_item(id, execution):
    if id == "no":
        raise Fault("This one is not for sale.", name="NotForSale")
    if id == "broken":
        raise RuntimeError("canary-in-an-exception")
    if id == "until cancelled":
        while not execution.cancelled:
            time.sleep(0.05)
    if id.startswith("slow"):
        time.sleep(3)
        return {**ITEMS[0], "id": id}
    return next((each for each in ITEMS if each["id"] == id), None)


@item.query
def query_items(query, execution):
    return query.page(ITEMS)


@item.save
def save_item(record, execution):
    return {**record, "id": record.external_id or f"new-{record['name']}"}


@item.delete
def delete_item(record, execution):
    execution.progress(f"deleted {record['id']}")


class Note(Profile):
    id = fields.Integer(data_key="ID")
    text = fields.String(data_key="Text")


note = shop.data_action("Note", profile=Note, key="id")


@note.query
def query_notes(query, execution):
    return [{"id": 1, "text": "more than the limit"}, {"id": 2, "text": "is cut"}]


files = shop.file_resource("/file")


@files.list
def list_files(query, execution):
    return query.page(
        {"id": str(number), "name": f"{number}.txt", "mime_type": "text/plain"}
        for number in range(3)
    )


@files.upload
def upload_file(file, execution):
    read, digest = 0, hashlib.sha256()
    while chunk := file.read(100_000):
        read += len(chunk)
        digest.update(chunk)
    assert read == file.size
    return {
        "id": execution.id,
        "name": file.name,
        "mime_type": file.content_type,
        "kind": f"{execution.properties['File Name']} {execution.properties['File Content Type']}",
        "description": f"{read} {digest.hexdigest()}",
    }


read_only = shop.file_resource("/listed")


@read_only.list
def list_nothing(query, execution):
    return []


class Told(Profile):
    user = fields.String(data_key="User")
    email = fields.String(data_key="Email")
    discount = fields.Number(data_key="Discount")
    key_is_known = fields.Boolean(data_key="Key is known")
    language = fields.String(data_key="Language")
    flow = fields.String(data_key="Flow State")


@shop.message_action("Tell", response=Told)
def tell(request, execution):
    return {
        "user": execution.user and execution.user.display_name,
        "email": execution.user and execution.user.email,
        "discount": execution.configuration["Discount"],
        "key_is_known": execution.configuration["Api Key"] == "canary-api-key",
        "language": execution.culture["language"],
        "flow": execution.properties["inflowstateid"],
    }


class Name(Profile):
    name = fields.String(data_key="Name", required=True)


class Result(Profile):
    text = fields.String(data_key="Text")


@shop.message_action("Choose", request=Name, response=Result)
def choose(request, execution):
    execution.outcome(request["name"])
    return {"text": request["name"]}


@shop.message_action("Value faults", request=Name, response=Result)
def value_faults(request, execution):
    raise Faults(
        Fault("The shop is closed.", name="Closed"),
        Fault("Nobody has this name.", name="Unknown", entry="Name"),
    )


@shop.message_action("As outputs", request=Name, response=Result, faults="outputs")
def as_outputs(request, execution):
    if request["name"] == "no":
        raise Fault("Not this one.", name="No")
    return {"text": "yes"}


class Secret(Profile):
    password = fields.Password(data_key="Password")
    cipher = fields.Encrypted(data_key="Cipher")


def length(item, execution):
    return len(item)


@shop.message_action("Keep", request=Secret, response=Secret)
def keep(request, execution):
    """Do everything with its secrets that a careless process could."""
    said = f"{request} {request['password']} {execution.configuration} {execution.user}"
    execution.log.info("The request was %s", said)
    print(said)  # noqa: T201 (that is the carelessness)
    execution.progress(f"working with {request['password']}")
    execution.step(f"check {request['password']}", len, request["password"])
    execution.map(f"count {request['password']}", length, ["x"])
    if execution.attempt == 1 and request["cipher"] == "canary-cipher-fault":
        raise Fault(f"{request['password']} is no password.", name="Bad")
    if request["cipher"] == "canary-cipher-break":
        raise RuntimeError(said)
    return request
