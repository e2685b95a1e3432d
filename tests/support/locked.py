"""A service with a password among its configuration values, behind a door that opens later."""

from pathlib import Path

from atom import FlowService, Profile, fields

PASSWORD = "canary-password"

locked = FlowService("Locked", summary="Needs a password", version="1")
locked.configuration_value("Password", fields.Password, required=True)


class Asked(Profile):
    folder = fields.String(data_key="Folder", required=True)
    pin = fields.Password(data_key="Pin")


class Told(Profile):
    is_known = fields.Boolean(data_key="Is known")


def knock(folder):
    with (folder / "knocks").open("a") as lines:
        lines.write("knock\n")


def unlock(folder, password):
    if not (folder / "open").exists():
        raise RuntimeError(f"{password} does not open the door yet")
    return password == PASSWORD


@locked.message_action("Open", request=Asked, response=Told)
def open_door(request, execution):
    folder = Path(request["folder"])
    execution.step("knock", knock, folder)
    return {
        "is_known": execution.step("unlock", unlock, folder, execution.configuration["Password"])
    }
