# SPDX-License-Identifier: Apache-2.0
"""How an account stands to another one that it wants to manage: what `domain.management.decide` judges."""

from typing import Final

from sqlalchemy import bindparam, func, select

from wharfinger.domain.accounts import AccountKind, MemberRole
from wharfinger.metadata.account_tables import accounts, memberships
from wharfinger.metadata.database import Statement

_target: Final = accounts.alias("target")
_organization: Final = accounts.alias("organization")

RELATION: Final = Statement(
    select(_target.c.id, _target.c.kind, _target.c.registry_id, memberships.c.role)
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
"""Parameters `account_id`, `name`; columns id, kind and registry of the account of that name, and what the caller is in
the organization that it is or belongs to: nothing in one that is suspended."""

OWNER: Final = MemberRole.OWNER.value
