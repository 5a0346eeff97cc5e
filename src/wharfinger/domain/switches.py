# SPDX-License-Identifier: Apache-2.0
"""The operator's switches that bind everybody, whatever their rights: deletion, and read-only mode."""

from dataclasses import dataclass

from wharfinger.domain.errors import DeletionDisabled, ReadOnly
from wharfinger.domain.sentences import Sentence


@dataclass(slots=True, kw_only=True)
class Switches:
    """What the deployment does for nobody.

    Args:
        deletion: as the operator said; nothing if that depends on the mode: with accounts, roles decide.
        read_only: whether every change is refused.
        has_accounts: whether the deployment has accounts; the one who finds out says so.
    """

    deletion: bool | None
    read_only: bool
    has_accounts: bool = False
    deletion_set_by: str = "storage.delete.enabled"

    def require_writable(self) -> None:
        """Refuse every change.

        Raises:
            ReadOnly: the deployment is in read-only mode.
        """
        if self.read_only:
            message = Sentence("The registry is read-only now (storage.maintenance.readonly.enabled).")
            raise ReadOnly(message)

    def require_deletion(self) -> None:
        """Refuse a request to delete a tag, manifest, blob or repository; cancelling an upload is not one.

        Raises:
            DeletionDisabled: deletion is off.
            ReadOnly: as `require_writable`.
        """
        self.require_writable()
        if not (self.has_accounts if self.deletion is None else self.deletion):
            message = Sentence(
                "Deletion is off in this registry; the operator turns it on with %(setting)s: true.",
                setting=self.deletion_set_by,
            )
            raise DeletionDisabled(message)
