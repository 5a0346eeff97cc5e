# SPDX-License-Identifier: Apache-2.0
"""How an account stands to another one that it wants to manage: what `domain.management.decide` judges."""

from typing import Final

from sqlalchemy import bindparam, case, func, select

from wharfinger.domain.accounts import AccountKind, MemberRole
from wharfinger.metadata.account_tables import accounts, memberships
from wharfinger.metadata.database import Statement
from wharfinger.metadata.standing import is_unproved

_target: Final = accounts.alias("target")
_organization: Final = accounts.alias("organization")

RELATION: Final = Statement(
    select(
        _target.c.id,
        _target.c.kind,
        _target.c.registry_id,
        memberships.c.role,
        case((memberships.c.user_id.is_not(None) & is_unproved(_organization), _organization.c.name)),
    )
    .select_from(_target)
    .outerjoin(
        _organization,
        (_organization.c.id == func.coalesce(_target.c.organization_id, _target.c.id))
        & (_organization.c.kind == AccountKind.ORGANIZATION.value)
        & _organization.c.suspended_at.is_(None)
        & _organization.c.deleted_at.is_(None),
    )
    .outerjoin(
        memberships,
        (memberships.c.organization_id == _organization.c.id) & (memberships.c.user_id == bindparam("account_id")),
    )
    .where(_target.c.name == bindparam("name"), _target.c.deleted_at.is_(None))
)
"""Parameters: those of `proof_of`, and `name`. Columns: id, kind and registry of the account of that name; what the
caller is in the organization that it is or belongs to, nothing in one that is suspended; and the name of that one, if
it demands single sign-on and the caller's credential does not prove it."""

OWNER: Final = MemberRole.OWNER.value
