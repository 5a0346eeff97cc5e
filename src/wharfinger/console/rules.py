# SPDX-License-Identifier: Apache-2.0
"""The sentences in which `domain.access` says which rule decided, to be translated: they say the same everywhere.

Those that name somebody (a trust rule, an organization that demands single sign-on) stay in English.
"""

from collections.abc import Mapping
from typing import Final

from wharfinger.console.languages import mark
from wharfinger.domain.access import Action
from wharfinger.domain.explanations import Change

RULES: Final = (
    mark("you have not signed in"),
    mark("the account is suspended"),
    mark("viewer on the deployment"),
    mark("write on the deployment"),
    mark("manager on the deployment"),
    mark("viewer on the registry"),
    mark("write on the registry"),
    mark("manager on the registry"),
    mark("owner of the namespace"),
    mark("read on the repository"),
    mark("write on the repository"),
    mark("admin on the repository"),
    mark("write on the namespace, where the name is free"),
    mark("admin on the namespace, where the name is free"),
    mark("read on the namespace, which the repository inherits"),
    mark("write on the namespace, which the repository inherits"),
    mark("admin on the namespace, which the repository inherits"),
    mark("member of the organization, which the repository inherits"),
    mark("the repository is public"),
    mark("the repository is public, which means every account here"),
    mark("the repository is internal: every account may pull"),
    mark("you need the role read on the repository"),
    mark("you need the role write on the repository"),
    mark("you need the role write on the repository, or, to create it, on its namespace"),
    mark("you need the role admin on the repository"),
)
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
