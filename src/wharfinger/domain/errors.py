# SPDX-License-Identifier: Apache-2.0
"""Everything that can go wrong, as meanings; a door turns a meaning into its own format.

```text
WharfingerError
├─ Unknown        NameUnknown  ManifestUnknown  BlobUnknown  UploadUnknown  ManifestBlobUnknown  EndpointUnknown
│                 AccountUnknown  NamespaceUnknown
├─ Invalid        NameInvalid  DigestInvalid  DigestMismatch  TagInvalid  ManifestInvalid  SizeInvalid
│                 QueryInvalid  HeaderInvalid  EncodingUnsupported  BlobTooLarge  ManifestTooLarge  AccountInvalid
│                 RuleInvalid  RepositoryInvalid
├─ OutOfPlace     RangeUnsatisfiable  UploadOutOfOrder  UploadBusy
├─ Refused        Unauthenticated{CredentialInvalid  TokenTooNarrow}  Denied  PreconditionFailed  TooManyAttempts
│                 AccountConflict  TagImmutable  KindSwitchedOff  NameTaken  ContentGone
├─ Unsupported    MethodUnsupported  DeletionDisabled  ReadOnly  StillReferenced  UpkeepDisabled
└─ Unavailable    SignInUnready  StoreUnavailable  DatabaseUnavailable  StoreFull  UpkeepBusy
                  OutboundUnavailable{OutboundRefused  OutboundFailed}
```

Each message is a `Sentence` for the person at the client: what was wrong and what would be right. It is built from
what the caller sent and may already know, never from what is stored elsewhere. Programs get it in English, pages show
it in the reader's language.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from wharfinger.domain.sentences import Sentence


class WharfingerError(Exception):
    """The root: everything this registry refuses, cannot find or cannot do.

    Args:
        message: the sentence for the person at the client.
        detail: what a program may want to know besides, JSON-able.
    """

    def __init__(self, message: Sentence, *, detail: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


class Unknown(WharfingerError):
    """What was asked for is not here, or not for this caller to know."""


class NameUnknown(Unknown):
    """No repository of that name."""


class ManifestUnknown(Unknown):
    """No such tag, or no manifest of that digest, in the repository."""


class BlobUnknown(Unknown):
    """No blob of that digest in the repository."""


class UploadUnknown(Unknown):
    """No upload of that id in the repository: never started, completed, cancelled or expired."""


class EndpointUnknown(Unknown):
    """A path that is no endpoint."""


class AccountUnknown(Unknown):
    """No such account, team, membership, grant or credential."""


class RegistryUnknown(Unknown):
    """No registry of that name."""


class HostUnknown(Unknown):
    """A host under which no registry answers, or not to this client."""


class NamespaceUnknown(Unknown):
    """No namespace of that name."""


class ManifestBlobUnknown(Unknown):
    """A manifest refers to content that must be pushed before it.

    Args:
        missing: every digest that is not in the repository, in the manifest's order.
    """

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__(Sentence("The manifest refers to content that is not in this repository; push it first."))
        self.missing = tuple(missing)


class Invalid(WharfingerError):
    """The request breaks a rule that no state of the registry could make right."""


class NameInvalid(Invalid):
    """A repository name outside the grammar."""


class DigestInvalid(Invalid):
    """A digest outside the grammar, or of an algorithm that is not supported."""


class DigestMismatch(DigestInvalid):
    """The content does not hash to the digest given for it."""


class TagInvalid(Invalid):
    """A tag outside the grammar, where one is to be created."""


class ManifestInvalid(Invalid):
    """The bytes are no manifest that a client could pull again safely."""


class SizeInvalid(Invalid):
    """The sizes that a request states contradict each other or its body."""


class QueryInvalid(Invalid):
    """A query parameter outside its range."""


class HeaderInvalid(Invalid):
    """A request header that cannot be read, or comes twice."""


class EncodingUnsupported(Invalid):
    """A body with a content encoding: the bytes that are hashed must be the bytes that are sent."""


class TooLarge(Invalid):
    """A body over the limit."""


class BlobTooLarge(TooLarge):
    """A blob over the limit for blobs."""


class ManifestTooLarge(TooLarge):
    """A manifest over the limit for manifests."""


class AccountInvalid(Invalid):
    """A name of an account or a team outside the grammar, or something that accounts of this kind do not have."""


class RegistryInvalid(Invalid):
    """A name or a host that a registry cannot have, or a storage that cannot serve one."""


class RuleInvalid(Invalid):
    """A rule of a repository, or what it is to be applied to, that cannot be read."""


class RepositoryInvalid(Invalid):
    """A description or a source that a repository cannot have."""


class OutOfPlace(WharfingerError):
    """The request is right in itself, but does not fit where things stand."""


class RangeUnsatisfiable(OutOfPlace):
    """A read of a range that the content does not have.

    Args:
        size: the content's size in bytes.
    """

    def __init__(self, size: int) -> None:
        super().__init__(Sentence("The range asked for lies outside the content, which has %(size)s bytes.", size=size))
        self.size = size


class UploadOutOfOrder(OutOfPlace):
    """A chunk that does not begin where the upload stands, or an offset that another request is writing.

    Args:
        upload_id: the upload.
        offset: how many bytes the registry holds; the next chunk begins here.
    """

    reason: ClassVar[str] = "The chunk does not begin at the upload's offset, which is %(offset)s: resume there."

    def __init__(self, upload_id: str, offset: int) -> None:
        super().__init__(Sentence(self.reason, offset=offset))
        self.upload_id = upload_id
        self.offset = offset


class UploadBusy(UploadOutOfOrder):
    """Another request is writing to this upload."""

    reason: ClassVar[str] = "Another request is writing at the upload's offset, which is %(offset)s: wait and resume."


class Refused(WharfingerError):
    """The caller may not, or a rule says no."""


class Unauthenticated(Refused):
    """The caller must say who it is."""


class CredentialInvalid(Unauthenticated):
    """What the caller showed is wrong, expired, revoked, or of a kind that is not taken here."""


class TokenTooNarrow(Unauthenticated):
    """The caller may, but the token that it showed does not name this; a wider one would do."""


class SignOnFailed(Refused):
    """Somebody came back from a provider in a way that proves nothing: begun elsewhere, too late, or tampered with."""


class SignOnDenied(Refused):
    """A provider vouches for somebody who has no account here, or may not sign in with it."""


class FormRefused(Refused):
    """A form that no page of this site sent in this browser, or one from before somebody signed in or out."""


class TooManyAttempts(Refused):
    """Too many credentials are being checked, or were wrong, a moment ago.

    Args:
        message: the sentence for the person at the client.
        retry_after: seconds that a client should wait.
    """

    def __init__(self, message: Sentence, *, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Denied(Refused):
    """The caller is known, and may not."""


class AccountConflict(Refused):
    """The accounts as they are stand against it: a name is taken, an organization would lose its last owner."""


class RegistryConflict(Refused):
    """The registries as they are stand against it: a name, a host or a storage is taken."""


class TagImmutable(Refused):
    """The tag never moves, or is never deleted, by a rule of its repository."""


class KindSwitchedOff(Refused):
    """A push of a kind of content that the deployment or the namespace does not take."""


class NameTaken(Refused):
    """What is to be restored was called as something else is called now."""


class ContentGone(Refused):
    """What is to be restored cannot come back whole.

    Args:
        message: the sentence for the person at the client.
        missing: what is not there any more: digests, or tags.
    """

    def __init__(self, message: Sentence, missing: Sequence[str] = ()) -> None:
        super().__init__(message, detail={"missing": list(missing)})
        self.missing = tuple(missing)


CHANGED_MEANWHILE: Final = Sentence("Somebody else changed it meanwhile: read it again, and decide again.")


class PreconditionFailed(Refused):
    """`If-Match` or `If-None-Match` does not hold."""


class Unsupported(WharfingerError):
    """The registry does not do this, or not now."""


class MethodUnsupported(Unsupported):
    """The path is an endpoint, but not for this method.

    Args:
        message: the sentence for the person at the client.
        allowed: the methods that the path takes.
    """

    def __init__(self, message: Sentence, allowed: Sequence[str]) -> None:
        super().__init__(message)
        self.allowed = tuple(allowed)


class DeletionDisabled(Unsupported):
    """`storage.delete.enabled` is off."""


class ReadOnly(Unsupported):
    """The registry takes no writes now."""


class StillReferenced(Unsupported):
    """Content that a manifest of the repository still refers to cannot be deleted."""


class UpkeepDisabled(Unsupported):
    """The operator has switched this piece of upkeep off."""


class Unavailable(WharfingerError):
    """Not the caller's fault, and not for ever: the same request may succeed later."""

    retry_after: ClassVar[int] = 5
    """Seconds that a client should wait."""


class StoreUnavailable(Unavailable):
    """The blob store did not answer, or answered with an error."""


class DatabaseUnavailable(Unavailable):
    """The database did not answer, or answered with an error."""


class SignInUnready(Unavailable):
    """Something that recognising callers needs cannot be had: a file, or the secret that seals keys."""


class StoreFull(Unavailable):
    """The store keeps its last space for metadata and deletion."""

    retry_after: ClassVar[int] = 60


class UpkeepBusy(Unavailable):
    """Another process does this piece of upkeep already, and one is enough."""


class OutboundUnavailable(Unavailable):
    """What this registry wanted from another server did not come. Never a reason to take something as absent."""


class OutboundRefused(OutboundUnavailable):
    """The registry may not connect there; it takes another URL, or a change by the operator."""

    retry_after: ClassVar[int] = 60


class OutboundFailed(OutboundUnavailable):
    """The other server did not answer, or answered with something that cannot be used."""
