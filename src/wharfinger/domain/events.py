# SPDX-License-Identifier: Apache-2.0
"""Facts: what happened to a registry, in the words that the audit log keeps and that subscribers will receive.

One event for each tag moved or deleted, manifest put, deleted or restored, repository made, deleted or restored, and
for each change of a repository, its rules, a namespace, a registry, the deployment, an account, a team, a grant or a
credential; none for uploads, leases, and blobs that clients push and delete, which no person ever asks about. No event
holds a secret: a credential is named by its number and its name.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from wharfinger.domain.digests import Digest
from wharfinger.domain.names import RepositoryName, TagName


class Result(enum.StrEnum):
    """What became of it."""

    DONE = "done"
    REFUSED = "refused"


class EventAction(enum.StrEnum):
    """What happened."""

    REPOSITORY_CREATED = "repository.created"
    REPOSITORY_DELETED = "repository.deleted"
    REPOSITORY_RESTORED = "repository.restored"
    REPOSITORY_CHANGED = "repository.changed"
    NAMESPACE_CHANGED = "namespace.changed"
    DEPLOYMENT_CHANGED = "deployment.changed"
    """A switch of the whole deployment, which is no setting of the operator's."""
    REGISTRY_CREATED = "registry.created"
    REGISTRY_CHANGED = "registry.changed"
    REGISTRY_DELETED = "registry.deleted"
    """It answers no more; `detail` says what becomes of its images."""
    REGISTRY_RESTORED = "registry.restored"
    """Images that a deleted registry left in the storage are back."""
    MANIFEST_PUSHED = "manifest.pushed"
    MANIFEST_DELETED = "manifest.deleted"
    MANIFEST_RESTORED = "manifest.restored"
    MANIFEST_COLLECTED = "manifest.collected"
    """Removed for good, because nothing needed it any more; `detail` says why."""
    REPOSITORY_COLLECTED = "repository.collected"
    """Removed for good with everything in it, some time after it was deleted."""
    BLOB_RESTORED = "blob.restored"
    TAG_MOVED = "tag.moved"
    """Created, or moved from one manifest to another."""
    TAG_DELETED = "tag.deleted"
    RETENTION_CHANGED = "retention.changed"
    """Which tags of a repository, or of a namespace, stay."""
    TRASH_PURGED = "trash.purged"
    """What was deleted does not come back any more."""
    ACCOUNT_CREATED = "account.created"
    ACCOUNT_CHANGED = "account.changed"
    ACCOUNT_SUSPENDED = "account.suspended"
    ACCOUNT_RESUMED = "account.resumed"
    ACCOUNT_DELETED = "account.deleted"
    PASSWORD_CHANGED = "password.changed"  # noqa: S105 - a word, not a secret
    SECOND_FACTOR_ADDED = "second-factor.added"
    SECOND_FACTOR_REMOVED = "second-factor.removed"
    RECOVERY_CODES_MADE = "recovery-codes.made"
    MEMBER_ADDED = "member.added"
    """Or given another role."""
    MEMBER_REMOVED = "member.removed"
    TEAM_CREATED = "team.created"
    TEAM_CHANGED = "team.changed"
    TEAM_DELETED = "team.deleted"
    TEAM_JOINED = "team.joined"
    TEAM_LEFT = "team.left"
    GRANT_GIVEN = "grant.given"
    GRANT_TAKEN = "grant.taken"
    CREDENTIAL_CREATED = "credential.created"
    CREDENTIAL_REVOKED = "credential.revoked"
    CONTENT_DAMAGED = "content.damaged"
    """Verification found other bytes than a digest names, or none, and stopped serving them."""
    CONTENT_HEALED = "content.healed"
    """Verification found them sound again, or put a row right from them."""
    VERIFICATION_ORDERED = "verification.ordered"
    """Somebody has everything verified now, in the background."""
    VERIFICATION_STOPPED = "verification.stopped"
    """Somebody had one stopped; the next start goes on where it stands."""
    JOB_ORDERED = "job.ordered"
    """Somebody has a background job run now."""
    BACKUP_MADE = "backup.made"
    BACKUP_RESTORED = "backup.restored"
    CREDENTIAL_AUTHORIZED = "credential.authorized"
    """For an organization that demands single sign-on, or not any more."""
    SESSION_BEGUN = "session.begun"
    SESSION_ENDED = "session.ended"
    """By somebody; one that ends by itself is not told of."""
    IDENTITY_LINKED = "identity.linked"
    """Somebody that another server vouches for was given an account."""
    IDENTITY_UNLINKED = "identity.unlinked"
    TEAM_MAPPED = "team.mapped"
    """To a group of a provider."""
    TEAM_UNMAPPED = "team.unmapped"
    SIGN_ON_DEMANDED = "sign-on.demanded"
    """By an organization, of its members; or not any more."""
    TRUST_ADDED = "trust.added"
    TRUST_CHANGED = "trust.changed"
    TRUST_REMOVED = "trust.removed"
    SIGN_IN = "sign-in"
    """With a password, done or refused; with another credential only where it is refused."""
    ACCESS_DENIED = "access.denied"
    """Somebody who signed in wanted to change what it may not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One fact about one repository or one account; who did it and when is recorded beside it."""

    action: EventAction
    repository_id: int | None = None
    repository: RepositoryName | None = None
    about_id: int | None = None
    """The account that it is about, or that answers for what it is about: its own events are found by that."""
    result: Result = Result.DONE
    count: int = 1
    """How often it happened, where the same was refused again and again."""
    target: str | None = None
    """What it is about that is no repository: `alice`, `acme/builders`, `token 7 (laptop) of alice`."""
    tag: TagName | None = None
    digest: Digest | None = None
    """The manifest: the new one of a tag that moved, the last one of a tag that was deleted."""
    previous: Digest | None = None
    media_type: str | None = None
    size: int | None = None
    detail: str | None = None
    """More, in words: `write on the repository acme/app`."""


def difference(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """Return what changed, in words: `visibility from private to public`; empty if nothing did.

    Args:
        before: what was, by the name that people know it by.
        after: what is, under the same names.
    """
    changed = (f"{name} from {before[name]} to {word}" for name, word in after.items() if before[name] != word)
    return ", ".join(changed)
