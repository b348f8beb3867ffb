"""The names by which a client's certificate is known."""

from __future__ import annotations

import pytest

from authserver.administration.client_certificates import address, host_name, subject_name
from authserver.model.inputs import InvalidField


def test_a_distinguished_name_is_kept_as_it_is_written() -> None:
    written = "cn=robot, O=Example\\, Inc. , 2.5.4.6=DE"
    assert subject_name("dn", written) == written


@pytest.mark.parametrize("written", ["", "robot", "CN", "XX=robot", "CN=robot,", "/C=DE/CN=robot", "CN=a;O=b=;", 5])
def test_what_is_no_distinguished_name_is_refused(written: object) -> None:
    with pytest.raises(InvalidField):
        subject_name("dn", written)


def test_a_host_name_is_one_name_and_an_address_gets_its_usual_spelling() -> None:
    assert host_name("dns", "robot.example.com") == "robot.example.com"
    for wrong in ("*.example.com", "a b", "a..b", "https://a.example", ""):
        with pytest.raises(InvalidField):
            host_name("dns", wrong)
    assert address("ip", "2001:DB8:0:0::1") == "2001:db8::1"
    with pytest.raises(InvalidField):
        address("ip", "10.0.0.0/8")
