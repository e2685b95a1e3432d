"""Which Authorization headers come back with a callback."""

import pytest

from atom.protocol.running_user import running_user_header

USER = "ManyWhoTenantId=t-1&ManyWhoUserId=u-1&ManyWhoToken=&Email=ada@example.org"


@pytest.mark.parametrize(
    "header",
    [
        USER,
        USER.replace("=", "%3D").replace("&", "%26").replace("@", "%40"),
        USER.replace("=", "%3d").replace("&", "%26"),
    ],
)
def test_a_running_user_is_sent_back_as_it_came(header):
    assert running_user_header(header) == header


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic QWRhOnNlY3JldA==",
        "basic QWRhOnNlY3JldA==",
        "Basic ManyWhoTenantId=",
        "Bearer ManyWhoTenantId=t-1",
        "ManyWho",
    ],
)
def test_the_credentials_of_a_connector_never_are(header):
    assert running_user_header(header) is None
