# SPDX-License-Identifier: Apache-2.0
"""The operator's switches that bind everybody, whatever their rights: deletion, and read-only mode."""

from dataclasses import dataclass

from wharfinger.domain.errors import DeletionDisabled, ReadOnly


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """What the deployment does for nobody."""

    deletion: bool
    read_only: bool
    deletion_set_by: str = "storage.delete.enabled"

    def require_writable(self) -> None:
        """Refuse every change.

        Raises:
            ReadOnly: the deployment is in read-only mode.
        """
        if self.read_only:
            message = "The registry is read-only now (storage.maintenance.readonly.enabled)."
            raise ReadOnly(message)

    def require_deletion(self) -> None:
        """Refuse a request to delete a tag, manifest, blob or repository; cancelling an upload is not one.

        Raises:
            DeletionDisabled: deletion is off.
            ReadOnly: as `require_writable`.
        """
        self.require_writable()
        if not self.deletion:
            message = f"Deletion is off in this registry; the operator turns it on with {self.deletion_set_by}: true."
            raise DeletionDisabled(message)
