"""The running user: who runs the flow, as an Authorization header carries it."""

from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import unquote

# The keys of the header, in the order in which they are written → the attribute.
_KEYS: Final = {
    "ManyWhoTenantId": "tenant_id",
    "ManyWhoUserId": "manywho_user_id",
    "ManyWhoToken": "manywho_token",
    "DirectoryId": "directory_id",
    "DirectoryName": "directory_name",
    "RoleId": "role_id",
    "RoleName": "role_name",
    "PrimaryGroupId": "primary_group_id",
    "PrimaryGroupName": "primary_group_name",
    "Email": "email",
    "IdentityProvider": "identity_provider",
    "TenantName": "tenant_name",
    "Token": "token",
    "Username": "username",
    "UserId": "user_id",
    "FirstName": "first_name",
    "LastName": "last_name",
}
_BASIC: Final = "basic "


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningUser:
    """Who runs the flow; what the flow does not say is an empty text."""

    tenant_id: str = ""
    manywho_user_id: str = ""
    manywho_token: str = field(default="", repr=False)
    directory_id: str = ""
    directory_name: str = ""
    role_id: str = ""
    role_name: str = ""
    primary_group_id: str = ""
    primary_group_name: str = ""
    email: str = ""
    identity_provider: str = ""
    tenant_name: str = ""
    token: str = field(default="", repr=False)
    username: str = ""
    user_id: str = ""
    first_name: str = ""
    last_name: str = ""

    @classmethod
    def parse(cls, header: str | None) -> Self | None:
        """Read a header; None where it carries no running user.

        The pairs may be encoded once as a whole, or each value on its own, as clients differ;
        keys that are not known are ignored.
        """
        if running_user_header(header) is None:
            return None
        pairs = str(header)
        is_whole = "=" not in pairs
        found = {}
        for pair in (unquote(pairs) if is_whole else pairs).split("&"):
            key, _, value = pair.partition("=")
            if key.strip() in _KEYS:
                found[_KEYS[key.strip()]] = value if is_whole else unquote(value)
        return cls(**found) if found else None

    @property
    def display_name(self) -> str:
        """The best name there is for a person to read."""
        full = f"{self.first_name} {self.last_name}".strip()
        return full or self.username or self.email or self.user_id


def running_user_header(authorization: str | None) -> str | None:
    """The header to send back with a callback, where it carries a running user.

    Credentials of the connector (`Basic …`) are ours to check and nobody else's to receive.
    """
    if not authorization:
        return None
    decoded_start = authorization.replace("%3D", "=").replace("%3d", "=")
    return authorization if decoded_start.startswith("ManyWho") and "=" in decoded_start else None


def running_user_of(authorization: str | None, beside: str | None) -> str | None:
    """The running user of a request, as the header that goes back.

    Where `Authorization` holds the connector's credentials, the running user travels in the
    header `ManyWhoAuthorization` beside it (our choice of name; documentation has none).
    """
    if authorization and authorization[: len(_BASIC)].lower() == _BASIC:
        return running_user_header(beside)
    return running_user_header(authorization) or running_user_header(beside)
