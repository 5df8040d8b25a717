"""Connections outwards: only to where they may go, and never for longer than they may take.

A target's name is resolved once, its addresses are judged, and the connection goes to the address
that was judged: a name that means another address a moment later changes nothing. Private networks,
this machine and what else is no public host are refused unless the settings allow them: whoever may
name a target must not reach through this box what they can't reach themselves.
"""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING

from pipeline.errors import NotifyError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Address = IPv4Address | IPv6Address
    Network = IPv4Network | IPv6Network

_NAT64 = IPv6Network("64:ff9b::/96")  # an IPv4 address in its last 32 bits


def connected(host: str, port: int, *, allow: Sequence[Network], timeout_s: float) -> socket.socket:
    """A connection to a host that may be reached.

    Raises NotifyError: to be tried again where the name or the host isn't there, for good where the
    target isn't allowed.
    """
    failed: OSError | None = None
    for address in _addresses(host, port, allow):
        try:
            return socket.create_connection((str(address), port), timeout=timeout_s)
        except OSError as error:
            failed = error
    raise NotifyError(f"{host} can't be reached: {_why(failed)}") from None


@contextmanager
def time_limit(connection: socket.socket, seconds: float) -> Iterator[None]:
    """Ends the connection when the time is up, however busily the other side goes on sending.

    Raises NotifyError then, in place of what the interrupted exchange raised or returned.
    """
    up = threading.Event()
    handle = connection.dup()  # of the same connection, and stays one when TLS takes the other over

    def end() -> None:
        up.set()
        with suppress(OSError):
            handle.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    late = NotifyError(f"no answer within {seconds:g} s")
    try:
        yield
    except Exception:
        if up.is_set():
            raise late from None
        raise
    else:
        if up.is_set():  # what was cut off may look like the end of an answer
            raise late
    finally:
        timer.cancel()
        handle.close()


def allowed(address: Address, networks: Sequence[Network]) -> bool:
    """Whether it is a public host, or of a network that the settings allow."""
    if any(address in network for network in networks):
        return True
    inner = _inside(address)
    if inner is not None:
        return allowed(inner, networks)
    return address.is_global and not address.is_multicast and not address.is_reserved


def _inside(address: Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for."""
    if not isinstance(address, IPv6Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if address.teredo is not None:
        return address.teredo[1]
    return address.sixtofour


def _addresses(host: str, port: int, allow: Sequence[Network]) -> list[Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotifyError(f"{host} can't be resolved: {_why(error)}") from None
    addresses = [ip_address(str(one[4][0]).partition("%")[0]) for one in found]
    # One bad address among good ones is enough: which of them is taken is the target's choice.
    for address in addresses:
        if not allowed(address, allow):
            raise NotifyError(
                f"{host} is {address}: not a public address; notify.allow may name its network",
                again=False,
            )
    return list(dict.fromkeys(addresses))


def _why(error: Exception | None) -> str:
    return getattr(error, "strerror", None) or type(error).__name__
