# SPDX-License-Identifier: Apache-2.0
"""From a meaning to the page that tells of it: its status, what happened, and what to do. The only such table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.console.calls import View
from wharfinger.console.languages import mark
from wharfinger.domain import errors
from wharfinger.domain.errors import WharfingerError
from wharfinger.domain.sentences import Sentence


@dataclass(frozen=True, slots=True)
class Trouble:
    """A kind of failure, for people; both texts are to be translated.

    Args:
        status: of the answer.
        title: what happened.
        advice: what to do.
        leads_back: whether the list of repositories is worth a try.
    """

    status: int
    title: str
    advice: str
    leads_back: bool = True


FAILURE: Final = Trouble(
    500,
    mark("Something broke"),
    mark(
        "The registry failed in a way that nobody expected. Nothing that was stored is lost. Try again; if it fails "
        "again, give the request id to whoever runs this registry: the log says more under it."
    ),
)
TOKENS_ONLY: Final = Trouble(
    401,
    mark("Not for browsers"),
    mark(
        "This registry takes only the tokens of a token server, and a browser has none: nobody can sign in on this "
        "page. Docker, podman and other clients get their tokens by themselves."
    ),
    leads_back=False,
)
SIGN_ON_NEEDED: Final = Trouble(
    403,
    mark("Single sign-on needed"),
    mark(
        "Your organization asks for it before it shows what is here. On your own page you find where to sign in, and "
        "can authorize tokens."
    ),
)
TABLE: Final[Sequence[tuple[type[WharfingerError] | tuple[type[WharfingerError], ...], Trouble]]] = (
    (
        errors.NameUnknown,
        Trouble(
            404,
            mark("No such repository"),
            mark("Check the spelling, or look for it in the list. A repository appears with the first push to it."),
        ),
    ),
    (
        errors.ManifestUnknown,
        Trouble(
            404, mark("No such tag"), mark("It may have been deleted. The repository's page lists the tags it has.")
        ),
    ),
    (
        errors.HostUnknown,
        Trouble(
            404,
            mark("No registry answers here"),
            mark("The name of the host is wrong, or its registry is closed to you. Ask whoever runs the registry."),
            leads_back=False,
        ),
    ),
    (
        errors.Unknown,
        Trouble(
            404, mark("Nothing here"), mark("The address leads to no page. The list of repositories is the way in.")
        ),
    ),
    (
        (errors.AccountInvalid, errors.RegistryInvalid, errors.RepositoryInvalid, errors.RuleInvalid),
        Trouble(400, mark("Cannot be taken so"), mark("Nothing was changed. Go back, and change what you typed.")),
    ),
    (
        errors.NameInvalid,
        Trouble(
            400,
            mark("Not a repository name"),
            mark(
                "Names are made of lower-case letters and digits, with single dots, underscores, hyphens or slashes "
                "between them."
            ),
        ),
    ),
    (
        errors.MethodUnsupported,
        Trouble(405, mark("A page to look at"), mark("Pages take GET. Clients push and pull under /v2/.")),
    ),
    (
        errors.OutboundUnavailable,
        Trouble(
            503,
            mark("The other server does not answer"),
            mark("Nobody can be signed in through it now. Try again in a moment, or sign in with a password."),
        ),
    ),
    (
        errors.Unavailable,
        Trouble(
            503,
            mark("Not available right now"),
            mark(
                "The database or the storage does not answer. Try again in a moment; pushes and pulls wait for the "
                "same thing."
            ),
        ),
    ),
    (errors.Unauthenticated, Trouble(401, mark("Sign in first"), mark("Who did not sign in may not see this."))),
    (
        errors.TooManyAttempts,
        Trouble(429, mark("Too busy to sign you in"), mark("Many clients are signing in at once. Try again shortly.")),
    ),
    (
        errors.SignOnFailed,
        Trouble(403, mark("Not signed in"), mark("Nothing was changed. Begin again at the page to sign in.")),
    ),
    (
        errors.SignOnDenied,
        Trouble(
            403,
            mark("Not signed in"),
            mark("The other server knows you, but this registry does not let you in with that."),
        ),
    ),
    (
        errors.FormRefused,
        Trouble(403, mark("Nothing was done"), mark("Open the page again, and send its form from there.")),
    ),
    (
        errors.PreconditionFailed,
        Trouble(
            412,
            mark("Somebody was faster"),
            mark("It was changed since you opened the page. Open it again, and see what is there now."),
        ),
    ),
    (
        (
            errors.AccountConflict,
            errors.ContentGone,
            errors.NameTaken,
            errors.RegistryConflict,
            errors.TagImmutable,
            errors.StillReferenced,
        ),
        Trouble(409, mark("Not as things stand"), mark("Nothing was changed. Go back, and try it in another way.")),
    ),
    (
        (errors.DeletionDisabled, errors.ReadOnly, errors.UpkeepDisabled),
        Trouble(
            409,
            mark("Switched off"),
            mark("Nothing was changed. Whoever runs this registry can switch it on, in its configuration."),
        ),
    ),
    (errors.Refused, Trouble(403, mark("Not for you"), mark("Ask an admin of the repository to give you access."))),
    (
        WharfingerError,
        Trouble(
            400, mark("Not understood"), mark("The request cannot be read. The list of repositories is the way in.")
        ),
    ),
)


def view_of(error: WharfingerError, request_id: str | None) -> View:
    """Return the page for an error."""
    trouble = next(trouble for kind, trouble in TABLE if isinstance(error, kind))
    return _page(trouble, error.message, request_id)


def view_of_tokens_only(request_id: str) -> View:
    """Return the page for a visitor who would need a token, where only tokens count."""
    return _page(TOKENS_ONLY, None, request_id)


def view_of_failure(request_id: str) -> View:
    """Return the page when something failed that nobody expected."""
    return _page(FAILURE, None, request_id)


def view_of_sign_on_needed(organization: str, request_id: str) -> View:
    """Return the page for a member whose session does not prove what its organization demands."""
    message = Sentence(
        "The organization %(organization)s demands single sign-on, and this session did not come through it.",
        organization=organization,
    )
    page = _page(SIGN_ON_NEEDED, message, request_id)
    return View(template=page.template, status=page.status, values={**page.values, "onward": "/profile"})


def _page(trouble: Trouble, message: str | None, request_id: str | None) -> View:
    values = {"trouble": trouble, "message": message, "request_id": request_id, "onward": None}
    return View(template="error.html", status=trouble.status, values=values)


def headers_of(error: WharfingerError) -> Mapping[str, str]:
    """Return the headers that belong to an error's status."""
    if isinstance(error, errors.MethodUnsupported):
        return {"Allow": ", ".join(error.allowed)}
    if isinstance(error, errors.Unavailable | errors.TooManyAttempts):
        return {"Retry-After": str(error.retry_after)}
    return {}
