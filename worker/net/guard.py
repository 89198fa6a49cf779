"""The address guard: the addresses that may be dialled."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address

# IANA's special-purpose registries (RFC 6890). `ipaddress.is_global` calls some of these global, others depend on
# Python's version; 6to4, Teredo and NAT64 addresses carry an IPv4 address that a gateway would dial for us.
_SPECIAL_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_GLOBAL_V6 = IPv6Network("2000::/3")
_SPECIAL_V6 = tuple(IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))


def is_public(address: str | Address) -> bool:
    """True if `address` is on the public internet; False for what is no IP address."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if not ip.is_global:
        return False
    if isinstance(ip, IPv6Address) and ip.scope_id is not None:
        # A zone is of this machine, and the system would be asked what its name means.
        return False
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in _SPECIAL_V4)
    return ip in _GLOBAL_V6 and not any(ip in network for network in _SPECIAL_V6)


class Allow:
    """The addresses that may be dialled besides the public internet.

    Entries are networks (`10.0.0.0/8`, `fd00::/8`, one address) or `host:port`, `ip:port`, `[ipv6]:port`; raises
    ValueError with a sentence for people on anything else.
    """

    def __init__(self, entries: Iterable[str] = ()) -> None:
        self._networks: list[IPv4Network | IPv6Network] = []
        self._places: set[tuple[str, int]] = set()
        for entry in entries:
            self._add(entry.strip())

    def _add(self, entry: str) -> None:
        try:
            self._networks.append(ip_network(entry))
        except ValueError:
            host, colon, port = entry.rpartition(":")
            if "/" in entry or not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
                raise ValueError(f"{entry!r} is neither a network (10.0.0.0/8) nor a host:port") from None
            self._places.add((_plain(host), int(port)))

    def permits(self, host: str, ip: str | Address, port: int) -> bool:
        """True if a connection to `port` of `host`, which resolves to `ip`, may be opened."""
        if is_public(ip):
            return True
        try:
            address = ip_address(ip)
        except ValueError:
            return False
        return (
            (_plain(host), port) in self._places
            or (str(address), port) in self._places
            or any(address in network for network in self._networks)
        )


def _plain(host: str) -> str:
    host = host.strip("[]").rstrip(".").lower()
    try:
        return str(ip_address(host))
    except ValueError:
        return host
