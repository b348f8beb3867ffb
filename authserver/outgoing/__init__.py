"""Requests that this server sends to addresses others gave it: bounded in every way, and to nobody's inside.

`Outgoing` asks and gives back a `Fetched`; it raises `OutgoingRefused` for what it will not do and for answers that
it will not take, `OutgoingFailed` for what did not work this time. How often somebody may be asked, and how long an
answer holds, is for those to say who ask.
"""

from authserver.outgoing.client import Outgoing
from authserver.outgoing.documents import read_document
from authserver.outgoing.errors import OutgoingError, OutgoingFailed, OutgoingRefused
from authserver.outgoing.fetched import Fetched
from authserver.outgoing.resolver import Resolver, SystemResolver
from authserver.outgoing.target import Target, read_target

__all__ = [
    "Fetched",
    "Outgoing",
    "OutgoingError",
    "OutgoingFailed",
    "OutgoingRefused",
    "Resolver",
    "SystemResolver",
    "Target",
    "read_document",
    "read_target",
]
