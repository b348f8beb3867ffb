"""The promises that storage makes, one Protocol per aggregate.

Rules that hold for every verb:

* A verb that changes state is one transaction: the change, its revocation-outbox rows and its
  audit event are committed together or not at all.
* Expiry is tested by the verb itself against the `now` it is given; an expired row is absent.
* `None` or `False` means "no": unknown, dead, expired and disabled all look alike unless the
  verb says otherwise.
* Anything that keeps the database from answering raises `StorageUnavailable`; the change is then made
  as a whole or not at all, nobody knows which, and every verb is safe to try again.
"""

from __future__ import annotations

from authserver.storage.interface.audit import AuditFilter, AuditStore
from authserver.storage.interface.authorizations import AuthorizationStore, FirstFamilies, Redeemed, RedeemRefusal
from authserver.storage.interface.bus import Bus, Cache
from authserver.storage.interface.clients import ClientLookup, ClientStore
from authserver.storage.interface.consents import ConsentStore
from authserver.storage.interface.devices import DeviceStore, PollRefusal
from authserver.storage.interface.errors import AlreadyExists, KeyIsUsed, StorageUnavailable
from authserver.storage.interface.families import (
    FamilyStore,
    RefusalReason,
    Rotated,
    Rotation,
    RotationRefused,
    RotationResult,
)
from authserver.storage.interface.keys import KeyStore
from authserver.storage.interface.log import Compose, LogStore, NewLog
from authserver.storage.interface.logouts import LogoutStore
from authserver.storage.interface.maintenance import Housekeeping, MaintenanceStore
from authserver.storage.interface.once import OnceStore
from authserver.storage.interface.references import ReferenceStore
from authserver.storage.interface.registrations import RegistrationStore
from authserver.storage.interface.resource_servers import (
    ResourceServerCounts,
    ResourceServerFilter,
    ResourceServerStore,
)
from authserver.storage.interface.revocations import RevocationStore
from authserver.storage.interface.sessions import SessionFilter, SessionStore, SessionTouch
from authserver.storage.interface.throttle import ThrottleStore
from authserver.storage.interface.users import UserStore

__all__ = [
    "AlreadyExists",
    "AuditFilter",
    "AuditStore",
    "AuthorizationStore",
    "Bus",
    "Cache",
    "ClientLookup",
    "ClientStore",
    "Compose",
    "ConsentStore",
    "DeviceStore",
    "FamilyStore",
    "FirstFamilies",
    "Housekeeping",
    "KeyIsUsed",
    "KeyStore",
    "LogStore",
    "LogoutStore",
    "MaintenanceStore",
    "NewLog",
    "OnceStore",
    "PollRefusal",
    "RedeemRefusal",
    "Redeemed",
    "ReferenceStore",
    "RefusalReason",
    "RegistrationStore",
    "ResourceServerCounts",
    "ResourceServerFilter",
    "ResourceServerStore",
    "RevocationStore",
    "Rotated",
    "Rotation",
    "RotationRefused",
    "RotationResult",
    "SessionFilter",
    "SessionStore",
    "SessionTouch",
    "StorageUnavailable",
    "ThrottleStore",
    "UserStore",
]
