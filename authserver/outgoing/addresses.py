"""Which IP addresses are somebody on the open Internet.

The ranges are written out (the IANA special-purpose address registries, RFC 6890 and its updates): what the standard
library calls global differs from release to release.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address

_NOT_PUBLIC_4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",
            "100.64.0.0/10",  # behind a provider's NAT
            "127.0.0.0/8",
            "169.254.0.0/16",  # link-local, and where clouds keep their machines' credentials
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.88.99.0/24",  # relays of 6to4
            "192.168.0.0/16",
            "192.175.48.0/24",
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
        ),
    )
)
_PUBLIC_6 = IPv6Network("2000::/3")
"""All that is given out so far. So loopback, fc00::/7, fe80::/10, multicast and 64:ff9b::/96 (NAT64, behind which
there may be anything) need no line below."""
_NOT_PUBLIC_6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocols: Teredo, ORCHID, benchmarks
            "2001:db8::/32",
            "2002::/16",  # 6to4: an IPv4 address, perhaps a private one
            "2620:4f:8000::/48",
            "3fff::/20",  # documentation
        ),
    )
)


def parse_address(text: str) -> Address | None:
    """None for what is not an address in its usual spelling; one with a zone ("fe80::1%eth0") is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return None if getattr(address, "scope_id", None) is not None else address


def undressed(address: Address) -> Address:
    """::ffff:192.0.2.1 is 192.0.2.1 (RFC 4291 section 2.5.5.2), to the system that connects as well."""
    return getattr(address, "ipv4_mapped", None) or address


def is_public(address: Address) -> bool:
    address = undressed(address)
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    return address in _PUBLIC_6 and not any(address in network for network in _NOT_PUBLIC_6)


def is_loopback_address(address: Address) -> bool:
    return undressed(address).is_loopback
