# SPDX-License-Identifier: Apache-2.0
"""Trust rules of a repository, a namespace or a registry: which workflows and clusters come in without a secret."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from wharfinger.console import workflows
from wharfinger.console.accounts import frame, tried
from wharfinger.console.calls import Call, Leave, PageFunction, View
from wharfinger.console.confirmations import Asked, ask
from wharfinger.console.flashes import Flash
from wharfinger.console.forms import Form
from wharfinger.console.languages import mark
from wharfinger.console.routing import Route
from wharfinger.console.workflows import Kind
from wharfinger.domain.access import Action
from wharfinger.domain.errors import AccountConflict, AccountInvalid, AccountUnknown, NameUnknown
from wharfinger.domain.forges import Code, Wish, github, gitlab, kubernetes
from wharfinger.domain.grants import Place, parse_role, word_of
from wharfinger.domain.management import Target, Task
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.sentences import Sentence
from wharfinger.domain.trust import MAX_CLAIMS, NewRule, TrustRule, parse_claims
from wharfinger.services.trust import Report
from wharfinger.web.access import Managing, Need, OnRepository

_LONGEST_FORM: Final = 256 * 1024
"""Of the forms with an issuer's keys, or a token."""
_REFUSED: Final = mark("The trust rules stay as they are.")
_FIELDS: Final = (
    *("path", "refs", "environments", "owner_id", "host", "issuer", "pods", "service_account", "conditions"),
    *("source", "role", "tags", "audience", "name", "jwks"),
)
KINDS: Final[Mapping[Kind, tuple[str, str]]] = {
    Kind.GITHUB: ("GitHub Actions", mark("Workflows of an owner or of one repository.")),
    Kind.GITLAB: ("GitLab CI", mark("Jobs of a group or of one project.")),
    Kind.KUBERNETES: ("Kubernetes", mark("Pods of a service account in a cluster.")),
    Kind.OTHER: ("OpenID Connect", mark("Any other issuer of identity tokens, by its claims.")),
}
"""For whom there is a form: its own name, and a line about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where rules hold, and where their pages are.

    Args:
        place: a repository, a namespace, or the registry.
        path: of the list, below the site's prefix.
        noun: what it is, to be translated.
        name: how it is called.
        back: its own page.
    """

    place: Place
    path: str
    noun: str
    name: str
    back: str


async def show(call: Call) -> View:
    """Show the rules of a place."""
    return await _list(call)


async def test(call: Call) -> View:
    """Hold a token, or the claims of one, against the rules of the place. Neither is kept."""
    text, spot = call.form.text("token"), _spot(call)
    try:
        if text.startswith("{"):
            report = await call.services.trust.test_claims(parse_claims(text), call.registry, spot.place)
        elif len(text) <= MAX_CLAIMS:
            report = await call.services.trust.test(text, call.registry, spot.place)
        else:
            return await _list(call, wrong=Sentence("A token has %(most)s characters at the most.", most=MAX_CLAIMS))
    except AccountInvalid as error:
        return await _list(call, wrong=error.message)
    return await _list(call, report=report)


async def show_new(call: Call) -> View:
    """Show the form for a rule."""
    return await _form(call, _kind(call.query.get("kind", "")))


async def create(call: Call) -> View | Leave:
    """Make a rule; its page has what the workflow is to say."""
    kind, spot = _kind(call.form.text("kind")), _spot(call)
    try:
        rule = await call.services.trust.create(_rule(call.form, kind, spot.place), call.by)
    except (AccountInvalid, AccountConflict, NameUnknown) as error:
        return await _form(call, kind, wrong=error.message)
    text = mark("The rule counts from now on. Copy what the other side needs.")
    return Leave(to=f"{spot.path}/{rule.id}", flash=Flash(text=text))


async def show_one(call: Call) -> View:
    """Show a rule, and what is to be copied into the workflow, the job or the cluster."""
    rule, spot = await _find(call), _spot(call)
    host = call.address.authority
    return View(
        template="trust/one.html",
        values={
            **await _around(call, spot),
            "rule": rule,
            "role": word_of(rule.role),
            "kind": KINDS[workflows.kind_of(rule)][0],
            "snippet": workflows.snippet(rule, host, call.site),
            "manages": await _manages(call),
        },
    )


async def change_keys(call: Call) -> Leave:
    """Give a rule the new keys of its issuer, or have the issuer asked."""
    rule, spot = await _find(call), _spot(call)

    async def work() -> None:
        await call.services.trust.change_keys(rule.id, call.form.text("jwks") or None, call.by)

    done = Flash(text=mark("The keys of the issuer are changed."))
    return await tried(work(), f"{spot.path}/{rule.id}", done, _REFUSED)


async def ask_to_remove(call: Call) -> View:
    """Ask whether a rule is to go."""
    rule, spot = await _find(call), _spot(call)
    return ask(
        Asked(
            title=mark("Remove the trust rule %(name)s?"),
            texts=(
                mark("Whoever came in by it is out with the next request. What was pushed stays."),
                mark("The rule does not come back, but can be made again."),
            ),
            values={"name": rule.name},
            to=f"{spot.path}/{rule.id}/removal",
            back=f"{spot.path}/{rule.id}",
            button=mark("Remove"),
        )
    )


async def remove(call: Call) -> Leave:
    """Remove a rule."""
    rule, spot = await _find(call), _spot(call)

    async def work() -> None:
        await call.services.trust.remove(rule.id, call.by)

    done = Flash(text=mark("The trust rule %(name)s is removed."), values={"name": rule.name})
    return await tried(work(), spot.path, done, _REFUSED)


async def _list(call: Call, *, report: Report | None = None, wrong: str = "") -> View:
    spot = _spot(call)
    try:
        rules = await call.services.trust.list(spot.place)
    except AccountUnknown:  # a namespace is made with its first rule, too
        rules = ()
    return View(
        template="trust/list.html",
        values={
            **await _around(call, spot),
            "rules": [(rule, word_of(rule.role), KINDS[workflows.kind_of(rule)][0]) for rule in rules],
            "kinds": list(KINDS.items()),
            "report": report,
            "wrong": wrong,
            "manages": await _manages(call),
        },
        status=400 if wrong else 200,
    )


async def _form(call: Call, kind: Kind, *, wrong: str = "") -> View:
    spot = _spot(call)
    texts = {name: call.form.text(name) for name in _FIELDS}
    if not texts["audience"]:
        texts["audience"] = call.address.authority.partition(":")[0]
    return View(
        template="trust/new.html",
        values={
            **await _around(call, spot),
            "kind": kind,
            "label": KINDS[kind][0],
            "about": KINDS[kind][1],
            "texts": texts,
            "whole": call.form.is_checked("whole"),
            "wrong": wrong,
        },
        status=400 if wrong else 200,
    )


async def _around(call: Call, spot: Spot) -> dict[str, object]:
    if spot.place.namespace is not None:
        return {**await frame(call, spot.place.namespace, "trust"), "spot": spot, "frame": "accounts/frame.html"}
    return {"owner": spot.name, "spot": spot, "frame": "trust/frame.html"}


async def _manages(call: Call) -> bool:
    place = _spot(call).place
    if place.repository is not None:
        return await call.may(Action.ADMINISTER)
    if place.namespace is not None:
        return await call.can(Task.MANAGE, Target.NAMESPACE, place.namespace)
    return await call.can(Task.MANAGE, Target.REGISTRY, call.registry.name)


async def _find(call: Call) -> TrustRule:
    """Return the rule of the address.

    Raises:
        AccountUnknown: there is none of that number at this place.
    """
    number = int(call.parameters["number"])
    rule = await call.services.trust.find(number)
    if rule.place != _spot(call).place:
        message = Sentence("There is no trust rule %(number)s.", number=number)
        raise AccountUnknown(message)
    return rule


def _spot(call: Call) -> Spot:
    parameters, number = call.parameters, call.registry.id
    if "name" in parameters:
        place = Place(registry_id=number, repository=RepositoryName(parameters["name"]))
        back = call.repository_path()
        return Spot(place=place, path=f"{back}/-/trust", noun=mark("repository"), name=call.name, back=back)
    if "namespace" in parameters:
        name = parameters["namespace"]
        back = call.within(f"/accounts/{name}")
        place = Place(registry_id=number, namespace=name)
        return Spot(place=place, path=f"{back}/-/trust", noun=mark("namespace"), name=name, back=back)
    back = f"/registries/{call.registry.name}"
    place = Place(registry_id=number)
    return Spot(place=place, path=f"{back}/-/trust", noun=mark("registry"), name=call.registry.name, back=back)


def _kind(text: str) -> Kind:
    return Kind(text) if text in set(Kind) else Kind.GITHUB


def _rule(form: Form, kind: Kind, place: Place) -> NewRule:
    """Return the rule that a form asks for.

    Raises:
        AccountInvalid: it is none; the message says what would be right.
    """
    wish = Wish(
        audience=form.text("audience"),
        place=place,
        role=parse_role(form.text("role") or "write", place),
        tags=form.text("tags").split(),
        name=form.text("name") or None,
    )
    jwks = form.text("jwks") or None
    match kind:
        case Kind.GITHUB:
            return github(_code(form), wish)
        case Kind.GITLAB:
            return gitlab(_code(form), wish)
        case Kind.KUBERNETES:
            return kubernetes(form.text("issuer"), form.text("pods"), form.text("service_account") or "*", wish, jwks)
        case Kind.OTHER:
            issuer = form.text("issuer")
            return NewRule(
                name=wish.name or issuer.partition("://")[2].partition("/")[0][:100] or issuer[:100],
                issuer=issuer,
                audience=wish.audience,
                conditions=_conditions(form.text("conditions")),
                place=place,
                role=wish.role,
                source=form.text("source") or None,
                tags=tuple(wish.tags),
                jwks=jwks,
            )


def _code(form: Form) -> Code:
    return Code(
        path=form.text("path"),
        host=form.text("host") or None,
        owner_id=form.text("owner_id") or None,
        refs=form.text("refs").split(),
        environments=form.text("environments").split(),
        linked=not form.is_checked("whole"),
    )


def _conditions(text: str) -> Mapping[str, tuple[str, ...]]:
    """Return the conditions that somebody typed, one a line; the same claim again is another value of it.

    Raises:
        AccountInvalid: a line is none.
    """
    found: dict[str, tuple[str, ...]] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        claim, equals, value = line.partition("=")
        if not equals:
            message = Sentence("%(line)r is no condition: write CLAIM=VALUE, one a line.", line=line[:60])
            raise AccountInvalid(message)
        found[claim.strip()] = (*found.get(claim.strip(), ()), value.strip())
    return found


def _routes(path: str, reading: Need, managing: Need) -> tuple[Route, ...]:
    """Return the routes of one kind of place."""

    def get(below: str, need: Need, page: PageFunction) -> Route:
        return Route("GET", path + below, need, page, for_accounts=True)

    def post(below: str, page: PageFunction) -> Route:
        return Route("POST", path + below, managing, page, for_accounts=True, longest_form=_LONGEST_FORM)

    return (
        get("", reading, show),
        post("/test", test),
        get("/new", managing, show_new),
        post("/new", create),
        get("/{number}", reading, show_one),
        post("/{number}/keys", change_keys),
        get("/{number}/removal", managing, ask_to_remove),
        post("/{number}/removal", remove),
    )


_ON_REPOSITORY: Final = OnRepository(Action.ADMINISTER)
_ON_NAMESPACE: Final = Managing(Task.MANAGE, Target.NAMESPACE)
ROUTES: Final = (
    *_routes("/repositories/{name}/-/trust", _ON_REPOSITORY, _ON_REPOSITORY),
    *_routes("/accounts/{namespace}/-/trust", _ON_NAMESPACE, _ON_NAMESPACE),
    *_routes(
        "/registries/{registry}/-/trust", Managing(Task.READ, Target.REGISTRY), Managing(Task.MANAGE, Target.REGISTRY)
    ),
)
