"""Where a callback may go."""

import pytest

from atom.errors import InvalidRequest
from atom.flow.addresses import check_callback_uri
from atom.settings import FLOW_HOSTS


@pytest.mark.parametrize(
    ("uri", "hosts"),
    [
        ("https://flow.boomi.com/api/run/1/response", FLOW_HOSTS),
        ("https://eu.flow-prod.boomi.com:443/api/run/1/response", FLOW_HOSTS),
        ("https://FLOW.boomi.com/api", FLOW_HOSTS),
        ("https://flow.example.org:8443/x", ("flow.example.org:8443",)),
        ("http://127.0.0.1:8079/api/run/1/response", ("127.0.0.1:8079",)),
        ("http://localhost:8079/", ("localhost",)),
        ("http://[::1]:8079/", ("::1",)),
    ],
)
def test_allowed(uri, hosts):
    check_callback_uri(uri, hosts)


@pytest.mark.parametrize(
    ("uri", "hosts", "says"),
    [
        ("https://evil.example/", FLOW_HOSTS, "ATOM_CALLBACK_HOSTS"),
        ("https://flow.boomi.com.evil.example/", FLOW_HOSTS, "evil.example"),
        ("https://evil.example/flow.boomi.com", FLOW_HOSTS, "evil.example"),
        ("http://flow.boomi.com/", FLOW_HOSTS, "https"),
        ("http://10.0.0.1/", ("10.0.0.1",), "https"),
        ("http://127.0.0.1:6379/", ("127.0.0.1:8079",), "127.0.0.1:6379"),
        ("https://user:pass@flow.boomi.com/", FLOW_HOSTS, "credentials"),
        ("https://flow.boomi.com@evil.example/", FLOW_HOSTS, "credentials"),
        ("file:///etc/passwd", FLOW_HOSTS, "https"),
        ("//flow.boomi.com/x", FLOW_HOSTS, "https"),
        ("flow.boomi.com", FLOW_HOSTS, "https"),
        ("https://", FLOW_HOSTS, "https"),
        ("https://flow.boomi.com:99999/", FLOW_HOSTS, "valid URL"),
        ("https://[::1/", FLOW_HOSTS, "valid URL"),
        ("https://flow.boomi.com/a b", FLOW_HOSTS, "https"),
        ("https://flöw.boomi.com/", FLOW_HOSTS, "https"),
    ],
)
def test_refused(uri, hosts, says):
    with pytest.raises(InvalidRequest, match=says):
        check_callback_uri(uri, hosts)
