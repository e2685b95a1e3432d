"""The running user in an Authorization header, as far as an Atom passes it on."""


def running_user_header(authorization: str | None) -> str | None:
    """The header to send back with a callback, where it carries a running user.

    Credentials of the connector (`Basic …`) are ours to check and nobody else's to receive.
    """
    if not authorization:
        return None
    decoded_start = authorization.replace("%3D", "=").replace("%3d", "=")
    return authorization if decoded_start.startswith("ManyWho") and "=" in decoded_start else None
