"""Settings and keys → what lets people and programs in; a part of the coordinator's container."""

from __future__ import annotations

from dependency_injector import containers, providers

from common.encryption import AtRestKey
from common.timing import Clock
from coordinator.config import CoordinatorConfig
from coordinator.database import Database
from coordinator.security.access import RoleBasedAccessControl
from coordinator.security.access_tokens import AccessTokens
from coordinator.security.accounts import Accounts
from coordinator.security.attempts import SignInAttempts
from coordinator.security.authentication import Authenticator, Credentials
from coordinator.security.events import SecurityEvents
from coordinator.security.factors import MultiFactorAuthenticator
from coordinator.security.links import Links
from coordinator.security.opaque import KeyedDigest
from coordinator.security.own_account import OwnAccount
from coordinator.security.page_cookies import PageCookies
from coordinator.security.passwords import Passwords
from coordinator.security.service_tokens import ServiceTokens
from coordinator.security.sessions import Sessions
from coordinator.security.sign_in import SignIn, SignInParts


def open_access_tokens(settings: CoordinatorConfig, clock: Clock) -> AccessTokens:
    """Signed with a key of the keys folder."""
    file = settings.keys_folder / "access-tokens.pem"
    return AccessTokens(file, tenant=settings.tenant.id, clock=clock)


def open_keyed_digest(settings: CoordinatorConfig) -> KeyedDigest:
    """For forms and for names that were typed."""
    return KeyedDigest.load_or_create(settings.keys_folder / "forms.key")


def open_factors(settings: CoordinatorConfig, clock: Clock) -> MultiFactorAuthenticator:
    """Seeds rest under a key of the keys folder; a copied database opens no door."""
    key = AtRestKey.load_or_create(settings.keys_folder / "factors.key")
    return MultiFactorAuthenticator(key, place=f"ITS {settings.tenant.name}", clock=clock)


class PeopleContainer(containers.DeclarativeContainer):
    """One object of each; the coordinator's container names those that others use."""

    settings = providers.Dependency(instance_of=CoordinatorConfig)
    clock: providers.Dependency[Clock] = providers.Dependency()
    database = providers.Dependency(instance_of=Database)
    events = providers.Dependency(instance_of=SecurityEvents)

    tenant = settings.provided.tenant.id
    access_tokens = providers.ThreadSafeSingleton(open_access_tokens, settings, clock)
    forms = providers.ThreadSafeSingleton(open_keyed_digest, settings)
    cookies = providers.ThreadSafeSingleton(PageCookies, is_secure=settings.provided.api.is_secure)
    sessions = providers.ThreadSafeSingleton(
        Sessions, access_tokens, settings.provided.sign_in, tenant=tenant, clock=clock
    )
    service_tokens = providers.ThreadSafeSingleton(
        ServiceTokens, database, tenant=tenant, clock=clock
    )
    passwords = providers.ThreadSafeSingleton(Passwords)
    attempts = providers.ThreadSafeSingleton(SignInAttempts, forms, clock=clock)
    parts = providers.ThreadSafeSingleton(
        SignInParts,
        tenant=tenant,
        place=settings.provided.tenant.name,
        passwords=passwords,
        attempts=attempts,
        factors=providers.ThreadSafeSingleton(open_factors, settings, clock),
        sessions=sessions,
        links=providers.ThreadSafeSingleton(
            Links, tenant=tenant, url=settings.provided.api.url, clock=clock
        ),
        events=events,
    )
    accounts = providers.ThreadSafeSingleton(Accounts, database, parts, clock=clock)
    sign_in = providers.ThreadSafeSingleton(SignIn, database, parts, clock=clock)
    own_account = providers.ThreadSafeSingleton(OwnAccount, database, parts, sign_in, clock=clock)
    authenticator = providers.ThreadSafeSingleton(
        Authenticator,
        database,
        sessions,
        providers.ThreadSafeSingleton(
            Credentials,
            access=access_tokens,
            programs=service_tokens,
            cookies=cookies,
            forms=forms,
        ),
        events=events,
    )
    access = providers.ThreadSafeSingleton(
        RoleBasedAccessControl, authenticator, tenant=tenant, events=events
    )
