# SPDX-License-Identifier: Apache-2.0
"""What the page of access says: what one can ask about, and what would change the answer."""

from collections.abc import Mapping
from typing import Final

from wharfinger.console.languages import mark
from wharfinger.domain.access import Action
from wharfinger.domain.explanations import Change

ACTIONS: Final[Mapping[Action, str]] = {
    Action.PULL: mark("pull from it"),
    Action.PUSH: mark("push to it"),
    Action.DELETE: mark("delete from it"),
    Action.DESCRIBE: mark("change its description"),
    Action.ADMINISTER: mark("administer it"),
}
"""What one can ask about."""
CHANGES: Final[Mapping[Change, str]] = {
    Change.SIGN_IN: mark("Sign in."),
    Change.RESUME_ACCOUNT: mark("Resume the account %(who)s."),
    Change.PROVE_SIGN_ON: mark("%(who)s authorizes the token or key for the organization, on the page of the profile."),
    Change.GRANT_ON_REPOSITORY: mark("Give %(who)s the role %(role)s on the repository %(name)s."),
    Change.GRANT_ON_NAMESPACE: mark("Give %(who)s the role %(role)s on the namespace %(namespace)s."),
    Change.GRANT_ON_REGISTRY: mark("Give %(who)s the role %(role)s on the registry."),
    Change.INHERIT: mark("Have the repository %(name)s inherit the roles on its namespace."),
    Change.MAKE_INTERNAL: mark("Make the repository %(name)s internal: every account may pull then."),
    Change.MAKE_PUBLIC: mark("Make the repository %(name)s public: everybody may pull then."),
    Change.ASK: mark("Ask who administers %(name)s or its namespace for the role %(role)s."),
}
