# SPDX-License-Identifier: Apache-2.0
"""Write the pages of the guide that are made from the code: `make docs`. A test compares them with what is there."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from wharfinger.domain.access import Access, Action, Mode, Outcome, Role, Standing, Visibility, decide
from wharfinger.domain.accounts import AccountKind
from wharfinger.domain.identity import ANONYMOUS, NO_CEILING, Ceiling, Entry, Principal, Scope, Workload
from wharfinger.domain.management import Matter, Relation, Target, Task
from wharfinger.domain.management import decide as judge
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.workloads import Reach, Trust
from wharfinger.settings import Settings
from wharfinger.settings.kinds import Leaf, Many, Named, Records, leaves, variable_of
from wharfinger.settings.unsupported import FOREIGN

ROOT: Final = Path(__file__).resolve().parent.parent
GUIDE: Final = ROOT / "docs" / "guide"

_INTRODUCTION: Final = """\
# Settings

<!-- Made by tools/generate_docs.py from src/wharfinger/settings. Do not edit by hand: run `make docs`. -->

Wharfinger reads the `config.yml` of CNCF distribution (`registry:2`, `registry:3`): bring your file along. A key whose
help begins with "Ours" is new.

## Where a value comes from

1. An environment variable wins.
2. Then the configuration file.
3. Then the default.

`wharfinger check` shows every setting with its value and where it came from. Secrets are never shown.

## The file

- It begins with `version: 0.1`.
- An unknown key, a key that is there twice, or a value of the wrong kind stops start-up. Every mistake is shown at
  once, with its line.
- A key without a value means the default.
- `loglevel` and `validation.enabled`, which distribution itself gave up, still mean `log.level` and the opposite of
  `validation.disabled`.

## Environment variables

- The name is `REGISTRY_` and the path of the key in capitals, joined by `_`: `storage.delete.enabled` is
  `REGISTRY_STORAGE_DELETE_ENABLED`.
- A number is the place in a list: `REGISTRY_HTTP_TRUSTEDPROXIES_0=10.0.0.0/8`. The list begins with what the file says.
- A list or a section is written as in YAML: `REGISTRY_HTTP_TRUSTEDPROXIES='[10.0.0.0/8, unix]'`. A single value is
  taken as it is. An empty value means the default.
- Under a key that takes names, the rest is the name: `REGISTRY_LOG_FIELDS_SERVICE=registry`.
- `REGISTRY_STORAGE=filesystem` and `REGISTRY_AUTH=none` choose a kind and replace the whole section of the file.
- A variable that no setting has is ignored with a warning that names the nearest one. Under `REGISTRY_AUTH_` it stops
  start-up. What Kubernetes sets for a service called `registry` is passed over in silence.
- `REGISTRY_CONFIGURATION_PATH` names the configuration file, if the command line does not.

## How values are written

| kind | how | examples |
| --- | --- | --- |
| boolean | `true` or `false` | `true` |
| duration | numbers with units: `h`, `m`, `s`, `ms`, `us`, `ns` | `168h`, `1h30m`, `1.5s` |
| size | bytes, or a number with a unit: `KiB`, `MiB`, `GiB`, `TiB` or `kB`, `MB`, `GB`, `TB` | `256MiB`, `5GB` |
| address | `HOST:PORT`; `:PORT` means every interface | `127.0.0.1:5000`, `[::1]:5000`, `:5000` |
| destination | an address, a network in CIDR form, or the name of a host | `10.1.2.3`, `git.example.com` |
| network | an address, or a network in CIDR form | `10.0.0.5`, `10.0.0.0/8`, `fd00::/8` |

## Open mode

Without sign-in, whoever reaches the port may push and pull. On `127.0.0.1`, `::1`, `localhost` and on a Unix socket
nothing needs to be said. On any other address the server starts only if the settings choose it: `auth: none`,
`REGISTRY_AUTH=none`, or a configuration file without `auth`. Then a warning in the log says so.
"""

_ACCESS_INTRODUCTION: Final = """\
# Access matrix

<!-- Made by tools/generate_docs.py from src/wharfinger/domain/access.py. Do not edit by hand: run `make docs`. -->

Who may do what in a deployment with accounts. The tables are the answers of the function that every request asks. In
the other [modes](modes.md) there are no roles.

| answer | what it means | status |
| --- | --- | --- |
| yes | allowed; what is not there is 404 | |
| sign in | nobody has signed in, and signing in might change the answer | 401 |
| wider token | the account may, but this registry token does not name it; clients then ask for another one | 401 |
| denied | the role, or what the credential is for, does not do | 403 |

| operation | what it is |
| --- | --- |
| pull | read manifests, blobs, tags and referrers |
| mount | take a layer for another repository instead of sending it |
| push | send manifests, blobs and tags; create the repository |
| describe | change the description, the linked source and the labels |
| delete | delete a tag, a manifest or a blob |
| administer | change visibility, inheritance and roles; delete the repository. Of the registry: its settings |
| list | see the names of repositories: of each only what may be pulled |
| visit | ask `/v2/` whether this is a registry; `docker login` does |

- The highest role counts, whichever way it comes: given to the account itself or to one of its teams.
- Roles on a namespace, and membership of its organization, reach a repository only if it **inherits**. Roles on the
  registry and on the deployment, and owners of the namespace, always reach it.
- A role on the registry or on the deployment is called `viewer` (read), `write` or `manager` (admin).
- Where an organization demands [single sign-on](single-sign-on.md), nothing that its members have at its namespaces, or
  through its teams, counts for a credential that does not prove it. Robots and guests are demanded nothing.
- A suspended account may nothing: it is asked to sign in, also for what everybody may.
- A private repository and a name that does not exist look the same to whoever may not read it and may not create it.
"""
_MANAGING_INTRODUCTION: Final = """\
## Managing

What is no repository, in the [management API](api.md). Where somebody may not even see a thing, the answer is 404, as
for a thing that does not exist.

| task | what it is |
| --- | --- |
| see | know that it is there, and what it is called |
| read | see members, roles, settings, and credentials without their secrets |
| manage | change it, and what belongs to it |
| issue | make a credential of the account |
| supervise | suspend, resume and delete a user; set its password; say who owns a namespace |

Who is not in a table may do what an account without a role may.
"""
_CREDENTIALS_INTRODUCTION: Final = """\
## What a credential is for

A credential takes away, and never adds. Here it belongs to an account that may do everything. `admin:org` is for
what is below, under "Managing".
"""


def main() -> None:
    """Write every generated page."""
    for path, page in PAGES.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page(), encoding="utf-8")
        print(path.relative_to(ROOT))


def settings_page() -> str:
    """Return the reference of all settings."""
    return "\n".join([_INTRODUCTION, *_sections(), *_foreign()])


def _sections() -> Iterator[str]:
    groups: dict[str, list[Leaf]] = {}
    for leaf in leaves(Settings()):
        groups.setdefault(leaf.key.split(".")[0], []).append(leaf)
    for group, members in groups.items():
        yield f"## `{group}`\n"
        rows = [row for leaf in members for row in _rows(leaf)]
        yield _table(("key", "environment variable", "kind", "default", "help"), rows)


def _rows(leaf: Leaf) -> Iterator[tuple[str, ...]]:
    yield f"`{leaf.key}`", f"`{leaf.variable}{_suffix(leaf)}`", leaf.kind.name, _default(leaf), leaf.help
    if isinstance(leaf.kind, Records):
        blank = leaf.kind.blank()
        for inner in leaves(blank):
            key = f"{leaf.key}[].{inner.key}"
            default = "needed" if inner.key in leaf.kind.needed else _default(inner)
            yield f"`{key}`", f"`{variable_of(key)}{_suffix(inner)}`", inner.kind.name, default, inner.help


def _suffix(leaf: Leaf) -> str:
    match leaf.kind:
        case Named():
            return "_<NAME>"
        case Many() | Records():
            return "[_<NUMBER>]"
        case _:
            return ""


def _default(leaf: Leaf) -> str:
    if leaf.value is None:
        return leaf.shown(leaf.value)
    return f"`{leaf.shown(leaf.value)}`" if leaf.value not in ("", (), {}) else "empty"


def _foreign() -> Iterator[str]:
    yield "## Accepted, and nothing needs to be done\n"
    yield "Distribution knows these keys. The file may keep them; a note in the log says why they are not needed.\n"
    yield _table(("key", "why"), [(f"`{row.key}`", _sentence(row.why)) for row in FOREIGN if not row.stops.when])
    yield "## What stops start-up\n"
    yield (
        "Distribution knows these keys too, but Wharfinger does not do them, or not yet. It refuses to start rather\n"
        "than run without what the file asks for. A section that is empty or switched off is accepted.\n"
    )
    stopping = [row for row in FOREIGN if row.stops.when]
    yield _table(
        ("key", "stops when", "what to know"), [(f"`{r.key}`", r.stops.when, _sentence(r.why)) for r in stopping]
    )


def _sentence(text: str) -> str:
    return text if text.startswith("http.") else text[0].upper() + text[1:]


_NAME: Final = RepositoryName("acme/app")
_ACCOUNT: Final = Principal(name="ann", account_id=1)
_ON_REPOSITORY: Final = (
    Action.PULL,
    Action.MOUNT,
    Action.PUSH,
    Action.DESCRIBE,
    Action.DELETE,
    Action.ADMINISTER,
)
_ON_REGISTRY: Final = (Action.VISIT, Action.LIST, Action.ADMINISTER)
_WORDS: Final = {
    Outcome.ALLOWED: "yes",
    Outcome.SIGN_IN: "sign in",
    Outcome.WIDER_TOKEN: "wider token",
    Outcome.DENIED: "denied",
}
_WHO: Final[Mapping[str, tuple[Principal, tuple[Standing, ...]]]] = {
    "nobody signed in": (ANONYMOUS, (Standing(),)),
    "an account without a role": (_ACCOUNT, (Standing(),)),
    "`read` on the repository": (_ACCOUNT, (Standing(on_repository=Role.READ),)),
    "`write` on the repository": (_ACCOUNT, (Standing(on_repository=Role.WRITE),)),
    "`admin` on the repository": (_ACCOUNT, (Standing(on_repository=Role.ADMIN),)),
    "member of the organization": (_ACCOUNT, (Standing(is_member=True),)),
    "`read` on the namespace": (_ACCOUNT, (Standing(on_namespace=Role.READ),)),
    "`write` on the namespace": (_ACCOUNT, (Standing(on_namespace=Role.WRITE),)),
    "`admin` on the namespace": (_ACCOUNT, (Standing(on_namespace=Role.ADMIN),)),
    "member, inherited": (_ACCOUNT, (Standing(is_member=True, inherits=True),)),
    "`read` on the namespace, inherited": (_ACCOUNT, (Standing(on_namespace=Role.READ, inherits=True),)),
    "`write` on the namespace, inherited": (_ACCOUNT, (Standing(on_namespace=Role.WRITE, inherits=True),)),
    "`admin` on the namespace, inherited": (_ACCOUNT, (Standing(on_namespace=Role.ADMIN, inherits=True),)),
    "owner of the namespace": (_ACCOUNT, (Standing(owns_namespace=True),)),
    "`viewer` on the registry or the deployment": (
        _ACCOUNT,
        (Standing(on_registry=Role.READ), Standing(on_deployment=Role.READ)),
    ),
    "`write` on the registry or the deployment": (
        _ACCOUNT,
        (Standing(on_registry=Role.WRITE), Standing(on_deployment=Role.WRITE)),
    ),
    "`manager` on the registry or the deployment": (
        _ACCOUNT,
        (Standing(on_registry=Role.ADMIN), Standing(on_deployment=Role.ADMIN)),
    ),
    "owner of an organization that demands single sign-on, without it": (
        _ACCOUNT,
        (
            Standing(
                owns_namespace=True,
                is_member=True,
                inherits=True,
                on_namespace=Role.ADMIN,
                on_repository=Role.ADMIN,
                is_withheld=True,
                demanded_by="acme",
            ),
        ),
    ),
}
_TARGETS: Final = {
    Target.USER: "bob",
    Target.ORGANIZATION: "acme",
    Target.ROBOT: "acme+ci",
    Target.NAMESPACE: "acme",
    Target.REGISTRY: "default",
    Target.DEPLOYMENT: "",
}
_KINDS: Final = {
    Target.USER: AccountKind.USER,
    Target.ORGANIZATION: AccountKind.ORGANIZATION,
    Target.ROBOT: AccountKind.ROBOT,
}
_ALWAYS: Final = ("nobody signed in", "an account without a role")
_MANAGERS: Final = {
    _ALWAYS[0]: (ANONYMOUS, Relation()),
    _ALWAYS[1]: (_ACCOUNT, Relation()),
    "the account itself": (_ACCOUNT, Relation(is_self=True)),
    "member of the organization": (_ACCOUNT, Relation(is_member=True)),
    "owner of the organization or namespace": (_ACCOUNT, Relation(owns=True, is_member=True)),
    "`read` or `write` on the namespace": (_ACCOUNT, Relation(on_namespace=Role.WRITE)),
    "`admin` on the namespace": (_ACCOUNT, Relation(on_namespace=Role.ADMIN)),
    "`viewer` or `write` on the registry": (_ACCOUNT, Relation(on_registry=Role.WRITE)),
    "`manager` on the registry": (_ACCOUNT, Relation(on_registry=Role.ADMIN)),
    "`viewer` or `write` on the deployment": (_ACCOUNT, Relation(on_deployment=Role.WRITE)),
    "`manager` on the deployment": (_ACCOUNT, Relation(on_deployment=Role.ADMIN)),
}
_RULES: Final[Mapping[str, Trust]] = {
    "rule with `read` on the repository": Trust("rule", Role.READ, Reach.REPOSITORY),
    "rule with `write` on the repository": Trust("rule", Role.WRITE, Reach.REPOSITORY),
    "rule with `write` on the namespace": Trust("rule", Role.WRITE, Reach.NAMESPACE),
    "rule by which the repository was made": Trust("rule", Role.WRITE, Reach.MADE),
    "rule about linked repositories, here": Trust("rule", Role.WRITE, Reach.LINKED),
    "rule about linked repositories, elsewhere": Trust("rule", Role.WRITE, Reach.NOWHERE),
}
_JOB: Final = Principal(name="a workload", workload=Workload(rules=(1,)))
_WORKLOADS_INTRODUCTION: Final = """\
## Workloads, in a private repository

A workload has no account: it has what its [trust rules](workload-identity.md) give. Public repositories may be pulled
by everybody; internal ones by accounts, and a workload is none.
"""
_CREDENTIALS: Final[Mapping[str, Ceiling]] = {
    "password, access key": NO_CEILING,
    **{f"token with `{scope}`": Ceiling(scopes=frozenset({scope})) for scope in Scope},
    "token limited to this repository": Ceiling(repositories=frozenset({1})),
    "token limited to other repositories": Ceiling(repositories=frozenset({2})),
    **{
        f"registry token that names `{word}`": Ceiling(entries=(Entry(_NAME, frozenset({word}), repository_id=1),))
        for word in ("pull", "push", "delete")
    },
    "registry token for the list": Ceiling(entries=(Entry(None, frozenset({"*"})),)),
}


def access_page() -> str:
    """Return the answers of `decide` for every role, visibility and operation, and for every kind of credential."""
    return "\n".join(
        [_ACCESS_INTRODUCTION, *_repositories(), *_registry(), *_workloads(), *_credentials(), *_managing()]
    )


def _repositories() -> Iterator[str]:
    for visibility in Visibility:
        yield f"## {visibility.value.capitalize()} repositories\n"
        yield _answers(_ON_REPOSITORY, Standing(repository_id=1, visibility=visibility))
    yield "## Public repositories, where anonymous pull is switched off\n"
    hidden = Standing(repository_id=1, visibility=Visibility.PUBLIC, anonymous_pull=False)
    yield _answers(_ON_REPOSITORY, hidden)
    yield "## A name that does not exist\n"
    yield "Whoever may create it, or may pull everything in the registry, learns that it does not exist.\n"
    on_free_names = {who: row for who, row in _WHO.items() if "on the repository" not in who and "inherited" not in who}
    yield _answers(_ON_REPOSITORY, Standing(), on_free_names)


def _registry() -> Iterator[str]:
    yield "## The registry itself\n"
    here = {who: row for who, row in _WHO.items() if "signed in" in who or "without" in who or "registry" in who}
    yield _answers(_ON_REGISTRY, Standing(), here, name=None)


def _answers(
    actions: tuple[Action, ...],
    at: Standing,
    whose: Mapping[str, tuple[Principal, tuple[Standing, ...]]] = _WHO,
    name: RepositoryName | None = _NAME,
) -> str:
    """Return a table of who may what; two answers in one cell would be shown as two."""
    rows = []
    for who, (principal, standings) in whose.items():
        places = [
            replace(one, repository_id=at.repository_id, visibility=at.visibility, anonymous_pull=at.anonymous_pull)
            for one in standings
        ]
        answers = [[_answer(principal, Access(action, name), place) for place in places] for action in actions]
        rows.append((who, *(" or ".join(dict.fromkeys(cell)) for cell in answers)))
    return _table(("who", *(action.value for action in actions)), rows)


def _workloads() -> Iterator[str]:
    yield _WORKLOADS_INTRODUCTION
    rows = []
    for who, trust in _RULES.items():
        standing = Standing(repository_id=1, visibility=Visibility.PRIVATE, trusts=(trust,))
        rows.append((who, *(_answer(_JOB, Access(action, _NAME), standing) for action in _ON_REPOSITORY)))
    yield _table(("workload with a", *(action.value for action in _ON_REPOSITORY)), rows)


def _credentials() -> Iterator[str]:
    yield _CREDENTIALS_INTRODUCTION
    manager = Standing(repository_id=1, visibility=Visibility.PRIVATE, on_deployment=Role.ADMIN)
    accesses = {action.value: Access(action, _NAME) for action in _ON_REPOSITORY}
    accesses |= {"list": Access(Action.LIST), "visit": Access(Action.VISIT)}
    accesses |= {"administer the registry": Access(Action.ADMINISTER)}
    rows = (
        (name, *(_answer(replace(_ACCOUNT, ceiling=ceiling), access, manager) for access in accesses.values()))
        for name, ceiling in _CREDENTIALS.items()
    )
    yield _table(("credential", *accesses), rows)


def _managing() -> Iterator[str]:
    yield _MANAGING_INTRODUCTION
    for target, name in _TARGETS.items():
        yield f"### {target.value.capitalize()}\n"
        rows = [
            (who, *(_judgement(principal, Matter(task, target, name), relation) for task in Task))
            for who, (principal, relation) in _MANAGERS.items()
        ]
        yield _table(
            ("who", *(task.value for task in Task)),
            [row for row in rows if row[0] in _ALWAYS or row[1:] != rows[1][1:]],
        )
    yield "### What a credential manages\n"
    everything = Relation(is_self=True, owns=True, on_deployment=Role.ADMIN)
    rows = []
    for word, ceiling in _CREDENTIALS.items():
        holder = replace(_ACCOUNT, ceiling=ceiling)
        matters = [Matter(Task.MANAGE, target, name) for target, name in _TARGETS.items()]
        matters.insert(0, Matter(Task.MANAGE, Target.USER, _ACCOUNT.name))
        rows.append((word, *(_judgement(holder, matter, everything) for matter in matters)))
    yield _table(("credential", "oneself", *(target.value for target in _TARGETS)), rows)


def _judgement(principal: Principal, matter: Matter, relation: Relation) -> str:
    at = replace(relation, kind=_KINDS.get(matter.target))
    return _WORDS[judge(Mode.ACCOUNTS, principal, matter, at).outcome]


def _answer(principal: Principal, access: Access, standing: Standing) -> str:
    return _WORDS[decide(Mode.ACCOUNTS, principal, access, standing).outcome]


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _api_page() -> str:
    """Return the reference of the management API, whose making loads what the other pages do without."""
    from tools.api_page import api_page  # noqa: PLC0415 - see above

    return api_page()


PAGES: Final[Mapping[Path, Callable[[], str]]] = {
    GUIDE / "api-reference.md": _api_page,
    GUIDE / "access-matrix.md": access_page,
    GUIDE / "settings.md": settings_page,
}

if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))  # as a program, it knows its own folder only
    main()
