"""Clients that come by themselves: the look-up that fetches their documents, and the services of registration."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from authserver.administration.client_fields import Offer, client_readers
from authserver.administration.fields import Reader
from authserver.model.client import AuthMethod
from authserver.model.inputs import InvalidField
from authserver.registration.document import DocumentRules
from authserver.registration.documents import DocumentClients
from authserver.registration.initial_tokens import InitialTokens
from authserver.registration.limits import RegistrationLimits
from authserver.registration.policy import RegistrationPolicy
from authserver.registration.service import Registrar
from authserver.registration.usage import ClientUsage
from authserver.settings import Settings, SettingsError
from authserver.storage.interface import ClientStore
from authserver.tokens.handles import References
from authserver.wiring.client_auth import client_auth_methods
from authserver.wiring.parts import Ground


@dataclass(frozen=True, slots=True)
class ClientRulebook:
    """What a client may be here. It depends on the grants, which need the look-up of clients, which needs these
    rules: so it is empty at first, and filled before anybody asks."""

    readers: dict[str, Reader]
    methods: list[AuthMethod]
    policy: RegistrationPolicy

    @classmethod
    def of(cls, settings: Settings) -> ClientRulebook:
        """Raises SettingsError."""
        try:
            policy = RegistrationPolicy(
                grant_types=settings.registration_grant_types,
                scopes=settings.registration_scopes,
                resources=settings.registration_resources,
            )
        except ValueError as error:
            raise SettingsError(f"registration_scopes: {error}") from None
        return cls({}, [], policy)

    def fill(self, settings: Settings, grant_types: Collection[str]) -> None:
        """Raises SettingsError for a policy that holds what no client can have."""
        self.methods.extend(client_auth_methods(settings))
        offer = Offer(
            grant_types=grant_types,
            longest_token=settings.access_token_ttl,
            auth_methods=self.methods,
            signing_algorithms=settings.signing_algorithms,
            fetches_loopback=settings.outgoing_allow_loopback,
        )
        self.readers.update(client_readers(offer))
        for name in ("grant_types", "scopes", "resources"):
            try:
                self.readers[name](f"registration_{name}", list(getattr(self.policy, name)))
            except InvalidField as error:
                raise SettingsError(error.description) from None


def document_clients(
    ground: Ground, rulebook: ClientRulebook, announce: Callable[[], Awaitable[None]]
) -> DocumentClients:
    settings = ground.settings
    return DocumentClients(
        on=settings.client_documents == "on",
        loopback=settings.outgoing_allow_loopback,
        clients=ground.client_cache,
        stored=ground.stores.clients,
        store=ground.stores.registrations,
        outgoing=ground.outgoing,
        rules=DocumentRules(rulebook.policy, rulebook.methods, rulebook.readers),
        audit=ground.audit,
        changed=announce,
        now=ground.now,
    )


@dataclass(frozen=True, slots=True)
class RegistrationParts:
    registrar: Registrar
    initial_tokens: InitialTokens
    usage: ClientUsage

    @classmethod
    def of(
        cls,
        ground: Ground,
        rulebook: ClientRulebook,
        clients: ClientStore,
        announce: Callable[[], Awaitable[None]],
    ) -> RegistrationParts:
        settings, store, now = ground.settings, ground.stores.registrations, ground.now
        initial = InitialTokens(
            store, References(ground.master, "initial access token"), rulebook.readers, ground.audit, now
        )
        registrar = Registrar(
            mode=settings.registration,
            policy=rulebook.policy,
            methods=rulebook.methods,
            readers=rulebook.readers,
            store=store,
            clients=clients,
            initial=initial,
            references=References(ground.master, "registration token"),
            limits=RegistrationLimits(
                ground.stores.throttle, now, settings.registration_address_rate, settings.registration_rate
            ),
            audit=ground.audit,
            changed=announce,
            now=now,
        )
        return cls(registrar, initial, ClientUsage(store, clients, ground.audit, now, settings.registration_unused_ttl))
