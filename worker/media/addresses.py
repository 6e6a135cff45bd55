"""Which network addresses media may be loaded from: public ones, resolved once and pinned."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

from worker.media.item import Refusal, RefusedError

Resolver = Callable[[str, int], Iterable[str]]
"""(host, port) → addresses as text, in the order to be tried; raises OSError for an unknown host."""


def _v4(*networks: str) -> tuple[IPv4Network, ...]:
    return tuple(IPv4Network(network) for network in networks)


def _v6(*networks: str) -> tuple[IPv6Network, ...]:
    return tuple(IPv6Network(network) for network in networks)


# IANA IPv4 and IPv6 Special-Purpose Address Registries (iana.org/assignments/iana-ipv4-special-registry and
# -ipv6-, read 2026-11-24). Written out, because what Python's `is_global` says differs from version to version.
_PRIVATE_V4: Final = _v4(  # an operator's own network: `allow_private` opens these
    "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
)  # fmt: skip
_NEVER_V4: Final = _v4(
    "0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15",
    "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    "168.63.129.16/32",  # Azure's platform service, in public space
    "100.100.100.200/32",  # Alibaba's metadata service, in space shared by carriers
)  # fmt: skip
_PRIVATE_V6: Final = _v6("::1/128", "fc00::/7")
_NEVER_V6: Final = _v6(
    "fd00:ec2::/32", "fd20:ce::/32",  # the metadata services of Amazon and Google
    "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)  # fmt: skip
_UNICAST: Final = IPv6Network("2000::/3")  # the only global unicast space that IANA has opened
_NAT64: Final = IPv6Network("64:ff9b::/96")
_MAPPED: Final = IPv6Network("::ffff:0:0/96")
_ISATAP: Final = (0x0000_5EFE, 0x0200_5EFE)  # third quarter of the address; the last holds an IPv4 address


def may_connect(address: str, *, allow_private: bool = False) -> bool:
    """Whether media may be loaded from this address (text of an IPv4 or IPv6 address, a zone is refused).

    Public unicast addresses only. Loopback, private, shared (CGNAT) and unique local addresses count only with
    `allow_private`; link-local, metadata, multicast, reserved, documentation, 6to4 and Teredo addresses never.
    IPv4 inside IPv6 (mapped, NAT64, ISATAP) is judged as the IPv4 address that it is.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv4Address):
        return _v4_may(parsed, allow_private)
    if parsed.scope_id is not None:
        return False
    inner = _inside(parsed)
    if inner is not None and not _v4_may(inner, allow_private):
        return False
    if parsed in _NAT64 or parsed in _MAPPED:
        return True
    if any(parsed in network for network in _NEVER_V6):
        return False
    if any(parsed in network for network in _PRIVATE_V6):
        return allow_private
    return parsed in _UNICAST


def resolve(
    host: str, port: int, *, allow_private: bool = False, resolver: Resolver | None = None
) -> tuple[str, ...]:
    """The addresses of a host, asked for once; the caller connects to one of these and to nothing else.

    Raises:
        RefusedError: UNREACHABLE for an unknown host; PRIVATE_ADDRESS if any of its addresses may not be
            connected to: a name with one foot inside is not to be trusted with the other.
    """
    try:
        addresses = tuple(dict.fromkeys((resolver or system_resolver)(host, port)))
    except (OSError, UnicodeError):
        raise RefusedError(Refusal.UNREACHABLE, "the host's name cannot be resolved") from None
    if not addresses:
        raise RefusedError(Refusal.UNREACHABLE, "the host has no address")
    if not all(may_connect(address, allow_private=allow_private) for address in addresses):
        raise RefusedError(Refusal.PRIVATE_ADDRESS, "the host resolves to an address that is not public")
    return addresses


def system_resolver(host: str, port: int) -> list[str]:
    """The addresses that the system gives for a host."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(address[0]) for *_, address in found]


def _v4_may(address: IPv4Address, allow_private: bool) -> bool:
    if any(address in network for network in _NEVER_V4):
        return False
    return allow_private or not any(address in network for network in _PRIVATE_V4)


def _inside(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that packets for this one really go to, if it holds one."""
    value = int(address)
    if address in _MAPPED or address in _NAT64 or (value >> 32 & 0xFFFF_FFFF) in _ISATAP:
        return IPv4Address(value & 0xFFFF_FFFF)
    return None
