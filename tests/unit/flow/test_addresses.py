"""Where a callback may go."""

import ipaddress

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from urllib3.util import parse_url

from atom.endpoints import FLOW_HOSTS
from atom.errors import InvalidRequest
from atom.flow.addresses import CallbackPolicy
from atom.settings import Settings

FORBIDDEN = [
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
    *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
    *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
    *("::/128", "::1/128", "::/96", "::ffff:10.0.0.0/104", "::ffff:127.0.0.0/104"),
    *("64:ff9b::a00:0/104", "64:ff9b::7f00:0/104", "64:ff9b:1::/48", "100::/64", "2001::/32"),
    *("2001:2::/48", "2001:10::/28", "2001:20::/28", "2001:db8::/32", "2002::/16", "3fff::/20"),
    *("5f00::/16", "fc00::/7", "fd00:ec2::254/128", "fe80::/10", "fec0::/10", "ff00::/8"),
]
PUBLIC = ["8.8.8.8", "100.128.0.1", "172.32.0.1", "192.0.1.1", "198.20.0.1", "223.255.255.255"]
PUBLIC += ["2606:4700::1111", "2a00:1450::200e", "::ffff:8.8.8.8", "64:ff9b::808:808"]
A_HOST = "flow.example.org"


@pytest.mark.parametrize(
    ("uri", "hosts"),
    [
        ("https://flow.boomi.com/api/run/1/response", FLOW_HOSTS),
        ("https://eu.flow-prod.boomi.com:443/api/run/1/response", FLOW_HOSTS),
        ("https://FLOW.boomi.com/api", FLOW_HOSTS),
        ("HTTPS://flow.boomi.com:/api", FLOW_HOSTS),
        ("https://flow.boomi.com?a=b%20c", FLOW_HOSTS),
        ("https://flow.example.org:8443/x", ("flow.example.org:8443",)),
        ("https://flow.example.org/x", (" Flow.Example.org:443 ",)),
        ("https://8.8.8.8/x", ("8.8.8.8",)),
        ("https://[2606:4700::1111]/x", ("2606:4700:0::1111",)),
        ("http://127.0.0.1:8079/api/run/1/response", ("127.0.0.1:8079",)),
        ("http://localhost:8079/", ("localhost",)),
        ("http://LOCALHOST/", ("localhost:80",)),
        ("http://[::1]:8079/", ("::1",)),
        ("http://[0:0::1]:8079/", ("[::1]:8079",)),
        ("https://127.0.0.1/", ("127.0.0.1",)),
        ("http://sandbox:8079/api/run/1/response", ("http://sandbox:8079",)),
        ("http://sandbox:8079/", (" HTTP://Sandbox ",)),
        ("https://sandbox:8079/", ("http://sandbox:8079/",)),
    ],
)
def test_allowed(uri, hosts):
    CallbackPolicy.of(hosts).check_uri(uri)


@pytest.mark.parametrize(
    ("uri", "hosts", "says"),
    [
        ("https://evil.example/", FLOW_HOSTS, "ATOM_CALLBACK_HOSTS"),
        ("https://flow.boomi.com.evil.example/", FLOW_HOSTS, "evil.example"),
        ("https://evil.example/flow.boomi.com", FLOW_HOSTS, "evil.example"),
        ("https://evil.example#@flow.boomi.com/", FLOW_HOSTS, "evil.example"),
        ("https://evil.example?@flow.boomi.com/", FLOW_HOSTS, "evil.example"),
        ("http://flow.boomi.com/", FLOW_HOSTS, "https"),
        ("http://10.0.0.1/", ("10.0.0.1",), "https"),
        ("http://10.0.0.1/", ("http://10.0.0.1",), r"10.0.0.1 \(private\)"),
        ("http://sandbox:8079/", ("sandbox:8079",), "https"),
        ("http://sandbox:6379/", ("http://sandbox:8079",), "https"),
        ("http://sandbox.evil.example:8079/", ("http://sandbox:8079",), "https"),
        ("http://127.0.0.1:6379/", ("127.0.0.1:8079",), "127.0.0.1:6379"),
        ("http://[::1]:6379/", ("[::1]:8079",), r"\[::1\]:6379"),
        ("http://localhost:8079/", ("127.0.0.1:8079",), "localhost:8079"),
        ("https://user:pass@flow.boomi.com/", FLOW_HOSTS, "credentials"),
        ("https://@flow.boomi.com/", FLOW_HOSTS, "credentials"),
        ("https://flow.boomi.com@evil.example/", FLOW_HOSTS, "credentials"),
        ("file:///etc/passwd", FLOW_HOSTS, "https"),
        ("gopher://flow.boomi.com/", FLOW_HOSTS, "https"),
        ("//flow.boomi.com/x", FLOW_HOSTS, "https"),
        ("flow.boomi.com", FLOW_HOSTS, "https"),
        ("https:flow.boomi.com", FLOW_HOSTS, "https"),
        ("https://", FLOW_HOSTS, "https"),
        ("https://flow.boomi.com:99999/", FLOW_HOSTS, "valid URL"),
        ("https://flow.boomi.com:0/", FLOW_HOSTS, "valid URL"),
        ("https://flow.boomi.com:x/", FLOW_HOSTS, "valid URL"),
        ("https://[::1/", FLOW_HOSTS, "valid URL"),
        ("https://flow.boomi.com/a b", FLOW_HOSTS, "https"),
        ("https://flow.boomi.com/\r\nHost: evil", FLOW_HOSTS, "https"),
        (" https://flow.boomi.com/", FLOW_HOSTS, "https"),
        ("https://evil.example\\@flow.boomi.com/", FLOW_HOSTS, "https"),
        ("https://flow.boomi.com\\.evil.example/", FLOW_HOSTS, "https"),
        ("https://flöw.boomi.com/", FLOW_HOSTS, "https"),
        ("https://flow%2eboomi.com/", FLOW_HOSTS, "valid URL"),
        ("https://flow.boomi.com./", FLOW_HOSTS, "flow.boomi.com.:443"),
        # What an operator listed by mistake, and what is no usual spelling of an address.
        ("https://10.1.2.3/", ("10.1.2.3",), r"10.1.2.3 \(private\).*ATOM_CALLBACK_NETWORKS"),
        ("https://169.254.169.254/", ("169.254.169.254",), "link-local"),
        ("https://[::ffff:127.0.0.1]/", ("::ffff:127.0.0.1",), "loopback"),
        ("https://[fd00:ec2::254]/", ("fd00:ec2::254",), "private"),
        ("https://[64:ff9b::a00:1]/", ("64:ff9b::a00:1",), "private"),
        ("http://2130706433/", ("2130706433",), "valid URL"),
        ("http://0x7f000001/", ("0x7f000001",), "valid URL"),
        ("http://0x7f.1/", ("0x7f.1",), "valid URL"),
        ("http://017700000001/", ("017700000001",), "valid URL"),
        ("http://0177.0.0.1/", ("0177.0.0.1",), "valid URL"),
        ("http://127.1/", ("127.1",), "valid URL"),
        ("http://127.0.0.1./", ("127.0.0.1.",), "valid URL"),
        ("http://127.0.0.1.:80/", ("127.0.0.1",), "valid URL"),
        ("http://%31%32%37.0.0.1/", ("127.0.0.1",), "valid URL"),
        ("http://[127.0.0.1]/", ("127.0.0.1",), "valid URL"),
        ("https://[fe80::1%25eth0]/", ("fe80::1%25eth0",), "valid URL"),
        ("https://[fe80::1%eth0]/", ("fe80::1%eth0",), "valid URL"),
        ("https://[flow.boomi.com]/", FLOW_HOSTS, "valid URL"),
        ("https://::1/", ("::1",), "valid URL"),
    ],
)
def test_refused(uri, hosts, says):
    with pytest.raises(InvalidRequest, match=says):
        CallbackPolicy.of(hosts).check_uri(uri)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_reached(address):
    assert CallbackPolicy.of([A_HOST]).refusal(A_HOST, [address]) is None


def test_one_forbidden_address_refuses_the_name():
    refused = CallbackPolicy.of([A_HOST]).refusal(A_HOST, ["8.8.8.8", "10.0.0.1", "8.8.4.4"])
    assert refused == "10.0.0.1 (private)"


@pytest.mark.parametrize(
    ("network", "address", "is_allowed"),
    [
        ("10.20.0.0/16", "10.20.1.1", True),
        ("10.20.0.0/16", "::ffff:10.20.1.1", True),
        ("10.20.0.0/16", "64:ff9b::10.20.1.1", True),
        ("10.20.0.0/16", "10.21.1.1", False),
        ("10.20.0.0/16", "127.0.0.1", False),
        ("fd00::/8", "fd00::1", True),
        ("fd00::/8", "fe80::1", False),
        ("64:ff9b:1::/48", "64:ff9b:1::a00:1", True),
        ("127.0.0.0/8", "127.0.0.1", True),
        ("fe80::/10", "fe80::1%eth0", False),
    ],
)
def test_networks_that_the_operator_allows(network, address, is_allowed):
    policy = CallbackPolicy.from_settings(
        Settings(callback_hosts=(A_HOST,), callback_networks=(f" {network}",))
    )
    assert (policy.refusal(A_HOST, [address]) is None) is is_allowed


def test_a_literal_address_in_an_allowed_network():
    CallbackPolicy.of(["10.20.1.1"], ["10.20.0.0/16"]).check_uri("https://10.20.1.1/x")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "::1"])
def test_a_loopback_host_leads_to_loopback_only(host):
    policy = CallbackPolicy.of([host], ["10.0.0.0/8"])
    assert policy.refusal(host, ["127.0.0.1", "::1", "127.8.9.10"]) is None
    for address in ("10.0.0.1", "8.8.8.8", "::ffff:8.8.8.8", "fe80::1"):
        assert policy.refusal(host, ["127.0.0.1", address]) == f"{address} (not loopback)"


@pytest.mark.parametrize("text", ["", "localhost", "1.2.3", "1.2.3.4.5", "::g", "2130706433"])
def test_what_is_no_address_is_refused(text):
    assert "not an address" in CallbackPolicy.of([A_HOST]).refusal(A_HOST, [text])


# --- every spelling

V4_SPELLINGS = {
    "dotted": str,
    "decimal": lambda ip: str(int(ip)),
    "hexadecimal": lambda ip: f"0x{int(ip):x}",
    "upper case": lambda ip: f"0X{int(ip):X}",
    "octal": lambda ip: f"0{int(ip):o}",
    "dotted octal": lambda ip: ".".join(f"0{each:o}" for each in ip.packed),
    "dotted hexadecimal": lambda ip: ".".join(hex(each) for each in ip.packed),
    "padded": lambda ip: ".".join(f"{each:03}" for each in ip.packed),
    "two parts": lambda ip: f"{ip.packed[0]}.{int(ip) & 0xFFFFFF}",
    "three parts": lambda ip: f"{ip.packed[0]}.{ip.packed[1]}.{int(ip) & 0xFFFF}",
    "trailing dot": lambda ip: f"{ip}.",
    "percent-encoded": lambda ip: str(ip).replace(".", "%2e"),
    "bracketed": lambda ip: f"[{ip}]",
    "mapped": lambda ip: f"[::ffff:{ip}]",
    "mapped, in full": lambda ip: f"[{ipaddress.ip_address(f'::ffff:{ip}').exploded}]",
    "compatible": lambda ip: f"[::{ip}]",
    "NAT64": lambda ip: f"[64:ff9b::{ip}]",
    "6to4": lambda ip: f"[2002:{int(ip) >> 16:x}:{int(ip) & 0xFFFF:x}::1]",
}
V6_SPELLINGS = {
    "short": lambda ip: f"[{ip}]",
    "in full": lambda ip: f"[{ip.exploded}]",
    "upper case": lambda ip: f"[{ip.exploded.upper()}]",
    "dotted tail": lambda ip: f"[{ip.exploded[:30]}{ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)}]",
    "scoped": lambda ip: f"[{ip}%eth0]",
    "scoped, encoded": lambda ip: f"[{ip}%25eth0]",
    "percent-encoded": lambda ip: f"[{str(ip).replace(':', '%3a')}]",
}


@st.composite
def forbidden_addresses(draw):
    network = ipaddress.ip_network(draw(st.sampled_from(FORBIDDEN)))
    return network[draw(st.integers(0, network.num_addresses - 1))]


@given(address=forbidden_addresses(), spelling=st.data(), scheme=st.sampled_from(["http", "https"]))
def test_every_forbidden_address_is_refused_in_every_spelling(address, spelling, scheme):
    spellings = V4_SPELLINGS if address.version == 4 else V6_SPELLINGS
    host = spellings[spelling.draw(st.sampled_from(sorted(spellings)))](address)
    is_plain = host.lower() in (str(address), f"[{address}]")
    assume(not (is_plain and address in ipaddress.ip_network("127.0.0.0/8")))
    assume(not (address == ipaddress.ip_address("::1") and "%" not in host))
    for listed in (host, host.strip("[]"), str(address)):
        policy = CallbackPolicy.of([listed])
        with pytest.raises(InvalidRequest):
            policy.check_uri(f"{scheme}://{host}/api/run/1/response")


@pytest.mark.parametrize("text", FORBIDDEN)
def test_a_forbidden_network_is_forbidden_from_end_to_end(text):
    network = ipaddress.ip_network(text)
    for address in (network[0], network[-1]):
        assert CallbackPolicy.of([A_HOST]).refusal(A_HOST, [str(address)]) is not None


@given(address=forbidden_addresses())
def test_every_forbidden_address_behind_a_name_is_refused(address):
    assert CallbackPolicy.of([A_HOST]).refusal(A_HOST, [str(address)]) is not None


PIECES = ["flow.boomi.com", "evil.example", "127.0.0.1", "[::1]", "https:", "//", "/", "@", ":"]
PIECES += ["443", "?", "#", "\\", "%40", "%2e", ".", ";", "&", "[", "]", " ", "\t", "\n", "\0", "ﬀ"]


@given(rest=st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
def test_what_is_accepted_means_the_same_to_who_connects(rest):
    uri = f"https://{rest}"
    try:
        CallbackPolicy.of(["flow.boomi.com"]).check_uri(uri)
    except InvalidRequest:
        return
    parsed = parse_url(uri)
    assert (parsed.scheme, parsed.auth, parsed.host) == ("https", None, "flow.boomi.com")
