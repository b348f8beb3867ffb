"""Which addresses are public, and which URLs are asked at all."""

from __future__ import annotations

import pytest

from authserver.outgoing import OutgoingRefused, read_target
from authserver.outgoing.addresses import is_public, parse_address

PUBLIC = ["1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1", "192.0.1.1", "198.17.0.1"]
PUBLIC += ["198.20.0.1", "223.255.255.255", "2606:4700::1111", "2a00::1", "2001:4860:4860::8888", "::ffff:1.1.1.1"]

PRIVATE = ["0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.0.1"]
PRIVATE += ["169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1"]
PRIVATE += ["198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1"]
PRIVATE += ["255.255.255.255", "::", "::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254"]
PRIVATE += ["::127.0.0.1", "64:ff9b::1.1.1.1", "64:ff9b::a00:1", "64:ff9b:1::1", "100::1", "2001::1", "2001:2::1"]
PRIVATE += ["2001:10::1", "2001:db8::1", "2002:a00:1::1", "2002:101:101::1", "3fff::1", "5f00::1", "fc00::1", "fd00::1"]
PRIVATE += ["fe80::1", "fec0::1", "ff02::1"]


@pytest.mark.parametrize("text", PUBLIC)
def test_an_address_of_the_internet_is_public(text: str) -> None:
    address = parse_address(text)
    assert address is not None
    assert is_public(address)


@pytest.mark.parametrize("text", PRIVATE)
def test_an_address_of_a_special_range_is_not(text: str) -> None:
    address = parse_address(text)
    assert address is not None
    assert not is_public(address)


def test_an_address_with_a_zone_is_none() -> None:
    assert parse_address("fe80::1%eth0") is None


def test_a_url_is_read_once_into_what_is_connected_to_and_what_is_asked_for() -> None:
    target = read_target("HTTPS://Example.COM:8443/a/b?c=d")
    assert (target.scheme, target.host, target.port, target.path) == ("https", "example.com", 8443, "/a/b?c=d")
    assert target.authority == "example.com:8443"
    assert read_target("https://example.com").path == "/"
    assert read_target("https://[2606:4700::1111]/").authority == "[2606:4700::1111]"


REFUSED = {
    "http://example.com/": "is not https",
    "ftp://example.com/": "is not https",
    "file:///etc/passwd": "has no usable host name",
    "gopher://example.com:70/": "is not https",
    "//example.com/": "is not https",
    "example.com": "has no usable host name",
    "": "has characters that a URL may not have",
    "https://user@example.com/": "has a user name",
    "https://user:secret@example.com/": "has a user name",
    "https://@example.com/": "has a user name",
    "https://example.com/#part": "has a fragment",
    "https://example.com:0/": "has no usable port",
    "https://example.com:65536/": "has no usable port",
    "https://example.com:/": "has no usable port",
    "https://example.com:http/": "has no usable port",
    "https://": "has no usable host name",
    "https://[::1": "is not a URL",
    "https://example.com\\@inside/": "has characters that a URL may not have",
    "https://exam\tple.com/": "has characters that a URL may not have",
    "https://example.com/\r\nX: y": "has characters that a URL may not have",
    "https://exämple.com/": "has characters that a URL may not have",
    "https://example.com./": "has no usable host name",
    "https://.example.com/": "has no usable host name",
    "https://a..example.com/": "has no usable host name",
    "https://-a.example.com/": "has no usable host name",
    "https://example.com/" + "a" * 2000: "is too long",
    "https://localhost/": "is a name of a private network",
    "https://intranet/": "is a name of a private network",
    "https://db.internal/": "is a name of a private network",
    "https://printer.local/": "is a name of a private network",
    "https://x.LocalHost/": "is a name of a private network",
    "https://metadata.google.internal/": "is a name of a private network",
}


@pytest.mark.parametrize("url", REFUSED)
def test_a_url_that_is_never_asked_is_refused_before_any_name_is_looked_up(url: str) -> None:
    with pytest.raises(OutgoingRefused) as refused:
        read_target(url)
    assert refused.value.why == REFUSED[url]


def test_this_machine_may_be_asked_where_that_is_allowed_and_by_plain_http_it_alone() -> None:
    assert read_target("http://127.0.0.1:8080/x", allow_loopback=True).is_plain
    assert read_target("http://localhost:8080/x", allow_loopback=True).is_plain
    assert read_target("https://[::1]:8080/x", allow_loopback=True).host == "::1"
    for url in ("http://10.0.0.1/", "http://example.com/", "https://10.0.0.1/", "https://intranet/"):
        with pytest.raises(OutgoingRefused):
            read_target(url, allow_loopback=True)
