# SPDX-License-Identifier: Apache-2.0
"""Use cases: verbs on nouns. Transactions begin and end here; nothing here knows HTTP.

Every method that changes something takes `by`, the actor that the event names, and checks the operator's switches;
who may call it was decided at the door. `Services` is what `bootstrap` assembles and doors are given.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # whoever needs one service is not to load all of them
    from wharfinger.services.accounts import Accounts
    from wharfinger.services.audit import Audit
    from wharfinger.services.authorization import Authorization
    from wharfinger.services.beginning import Beginning
    from wharfinger.services.blobs import Blobs
    from wharfinger.services.collection import Collection
    from wharfinger.services.content import Content
    from wharfinger.services.credentials import Credentials
    from wharfinger.services.demands import Demands
    from wharfinger.services.descriptions import Descriptions
    from wharfinger.services.explanations import Explanations
    from wharfinger.services.external_identities import ExternalIdentities
    from wharfinger.services.figures import Figures
    from wharfinger.services.grants import Grants
    from wharfinger.services.health import Health
    from wharfinger.services.identity import Identity
    from wharfinger.services.inspection import Inspections
    from wharfinger.services.jobs import Jobs
    from wharfinger.services.lifecycle import Lifecycle
    from wharfinger.services.management import Management
    from wharfinger.services.manifests import Manifests
    from wharfinger.services.namespaces import Namespaces
    from wharfinger.services.organizations import Organizations
    from wharfinger.services.outlook import Outlooks
    from wharfinger.services.passwords import AccountPasswords
    from wharfinger.services.premises import Premises
    from wharfinger.services.pulls import Pulls
    from wharfinger.services.reach import Reaches
    from wharfinger.services.refusals import Refusals
    from wharfinger.services.registries import Registries, RegistrySwitches
    from wharfinger.services.repositories import Repositories
    from wharfinger.services.retention import Retention
    from wharfinger.services.reviews import Reviews
    from wharfinger.services.rounds import Rounds
    from wharfinger.services.search import Search
    from wharfinger.services.second_factors import SecondFactors
    from wharfinger.services.second_steps import SecondSteps
    from wharfinger.services.sessions import Sessions
    from wharfinger.services.single_sign_on import SingleSignOn
    from wharfinger.services.sizes import Sizes
    from wharfinger.services.stars import Stars
    from wharfinger.services.tags import Tags
    from wharfinger.services.team_mappings import TeamMappings
    from wharfinger.services.tokens import Tokens
    from wharfinger.services.trash import Trash
    from wharfinger.services.trust import TrustRules
    from wharfinger.services.uploads import Uploads
    from wharfinger.services.verification import Verification


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """How people sign in, and what other servers say of them."""

    demands: "Demands"
    external_identities: "ExternalIdentities"
    passwords: "AccountPasswords"
    second_factors: "SecondFactors"
    second_steps: "SecondSteps"
    sessions: "Sessions"
    single_sign_on: "SingleSignOn"
    team_mappings: "TeamMappings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Every use case of a deployment."""

    accounts: "Accounts"
    audit: "Audit"
    authorization: "Authorization"
    beginning: "Beginning"
    blobs: "Blobs"
    collection: "Collection"
    content: "Content"
    credentials: "Credentials"
    descriptions: "Descriptions"
    explanations: "Explanations"
    figures: "Figures"
    grants: "Grants"
    health: "Health"
    identity: "Identity | None"
    """Recognises callers; nothing in open mode, where nobody is asked."""
    inspections: "Inspections"
    jobs: "Jobs"
    lifecycle: "Lifecycle"
    management: "Management"
    manifests: "Manifests"
    namespaces: "Namespaces"
    organizations: "Organizations"
    outlooks: "Outlooks"
    people: "People"
    premises: "Premises"
    pulls: "Pulls"
    reaches: "Reaches"
    refusals: "Refusals"
    registries: "Registries"
    registry_switches: "RegistrySwitches"
    repositories: "Repositories"
    retention: "Retention"
    reviews: "Reviews"
    rounds: "Rounds"
    search: "Search"
    sizes: "Sizes"
    stars: "Stars"
    tags: "Tags"
    tokens: "Tokens"
    trash: "Trash"
    trust: "TrustRules"
    uploads: "Uploads"
    verification: "Verification"


__all__ = ["People", "Services"]
