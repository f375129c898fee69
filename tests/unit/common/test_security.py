import pytest

from common.security import GRANTS, Permission, Role, SecurityContext, SecurityLevel

pytestmark = pytest.mark.unit


def context(*roles: Role, scopes: frozenset[Permission] | None = None) -> SecurityContext:
    return SecurityContext(
        user_id="u",
        name="anna",
        tenant="city",
        roles=frozenset(roles),
        level=SecurityLevel.MULTI_FACTOR,
        session_id="s",
        kind="person",
        scopes=scopes,
    )


def test_every_role_looks_at_the_city_and_at_its_own_account() -> None:
    for role in Role:
        assert GRANTS[role] >= {Permission.OWN_ACCOUNT, Permission.TRAFFIC_READ}


def test_roles_add_up_and_nothing_is_granted_to_none() -> None:
    both = context(Role.ANALYST, Role.AUDITOR)

    assert both.may(Permission.TRAFFIC_EXPORT)
    assert both.may(Permission.AUDIT_READ)
    assert not both.may(Permission.USERS_MANAGE)
    assert context().permissions == frozenset()


def test_scopes_narrow_and_never_widen() -> None:
    narrow = frozenset({Permission.TRAFFIC_READ, Permission.USERS_MANAGE})

    assert context(Role.VIEWER, scopes=narrow).permissions == {Permission.TRAFFIC_READ}


@pytest.mark.parametrize(
    ("permission", "roles"),
    [
        (Permission.USERS_MANAGE, {Role.ADMIN}),
        (Permission.AUDIT_READ, {Role.ADMIN, Role.AUDITOR}),
        (Permission.SECTIONS_EDIT, {Role.ADMIN, Role.TECHNICIAN}),
        (Permission.MAINTENANCE_ANNOUNCE, {Role.ADMIN, Role.TECHNICIAN, Role.ANALYST}),
        (Permission.MODELS_APPROVE, {Role.ADMIN, Role.ML_ENGINEER}),
        (Permission.TRAFFIC_EXPORT, {Role.ADMIN, Role.ANALYST}),
        (Permission.ALERTS_MANAGE, {Role.ADMIN}),
    ],
)
def test_what_matters_is_granted_to_few(permission: Permission, roles: set[Role]) -> None:
    assert {role for role in Role if permission in GRANTS[role]} == roles
