"""The admin API: JSON over /admin/..., for programs with an admin scope.

Owns who may call it, and what bodies, filters and pages look like. What a change means is decided below: by the
directories of `accounts` and `administration` and by the revoker, through store verbs that write the
audit event in the transaction of the change.

| path | methods |
|---|---|
| /admin/revocations | AdminRevocationsEndpoint get post |
| /admin/sessions, /admin/sessions/{session_id} | AdminSessionsEndpoint get; AdminSessionEndpoint get delete |
| /admin/users | AdminUsersEndpoint get post |
| /admin/users/{user_id}, .../password | AdminUserEndpoint get patch delete; AdminPasswordEndpoint put |
| /admin/clients, /admin/clients/{client_id} | AdminClientsEndpoint get post; AdminClientEndpoint get patch delete |
| .../secrets, .../secrets/{secret_id} | AdminClientSecretsEndpoint post; AdminClientSecretEndpoint delete |
| .../registration-token | AdminClientRegistrationTokenEndpoint post |
| /admin/registration-tokens | AdminRegistrationTokensEndpoint get post |
| /admin/registration-tokens/{token_id} | AdminRegistrationTokenEndpoint delete |
| /admin/keys, /admin/keys/rotate | AdminKeysEndpoint get; AdminRotateEndpoint post |
| /admin/audit | AdminAuditEndpoint get |
| /admin/resource-servers | AdminResourceServersEndpoint get |
"""

from __future__ import annotations

from authserver.web.admin.audit import AdminAuditEndpoint
from authserver.web.admin.client_secrets import AdminClientSecretEndpoint, AdminClientSecretsEndpoint
from authserver.web.admin.clients import AdminClientEndpoint, AdminClientsEndpoint
from authserver.web.admin.guard import AdminGuard
from authserver.web.admin.keys import AdminKeysEndpoint, AdminRotateEndpoint
from authserver.web.admin.registration import (
    AdminClientRegistrationTokenEndpoint,
    AdminRegistrationTokenEndpoint,
    AdminRegistrationTokensEndpoint,
)
from authserver.web.admin.resource_servers import AdminResourceServersEndpoint
from authserver.web.admin.revocations import AdminRevocationsEndpoint
from authserver.web.admin.sessions import AdminSessionEndpoint, AdminSessionsEndpoint
from authserver.web.admin.users import AdminPasswordEndpoint, AdminUserEndpoint, AdminUsersEndpoint

__all__ = [
    "AdminAuditEndpoint",
    "AdminClientEndpoint",
    "AdminClientRegistrationTokenEndpoint",
    "AdminClientSecretEndpoint",
    "AdminClientSecretsEndpoint",
    "AdminClientsEndpoint",
    "AdminGuard",
    "AdminKeysEndpoint",
    "AdminPasswordEndpoint",
    "AdminRegistrationTokenEndpoint",
    "AdminRegistrationTokensEndpoint",
    "AdminResourceServersEndpoint",
    "AdminRevocationsEndpoint",
    "AdminRotateEndpoint",
    "AdminSessionEndpoint",
    "AdminSessionsEndpoint",
    "AdminUserEndpoint",
    "AdminUsersEndpoint",
]
