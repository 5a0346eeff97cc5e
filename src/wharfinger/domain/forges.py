# SPDX-License-Identifier: Apache-2.0
"""Ready-made trust rules: the workflows of GitHub Actions, the jobs of GitLab CI, the pods of Kubernetes.

Each names the claims that its issuer is known to send, and lets nothing in that an author could not see: a forge
rule lists the events by which code of the project itself runs. Whatever a stranger can start with code or text of its
own (a pull request, a merge request, a comment) is not among them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.domain.errors import AccountInvalid
from wharfinger.domain.grants import Place
from wharfinger.domain.roles import Role
from wharfinger.domain.sentences import Sentence
from wharfinger.domain.trust import GITHUB, GITLAB, Conditions, NewRule

GITHUB_EVENTS: Final = ("push", "release", "schedule", "workflow_dispatch", "repository_dispatch")
GITLAB_EVENTS: Final = ("push", "web", "schedule", "api", "trigger", "pipeline")
_FOREIGN_EVENTS: Final = frozenset(
    {
        *("pull_request", "pull_request_target", "pull_request_review", "pull_request_review_comment", "merge_group"),
        *("workflow_run", "issue_comment", "issues", "discussion", "discussion_comment", "fork", "watch"),
        *("merge_request_event", "external_pull_request_event", "parent_pipeline", "chat"),
    }
)
"""Events that can bring in what somebody wrote who may not push to the project."""
_PATH: Final = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_.][A-Za-z0-9_.-]*)*", re.ASCII)
_HOST: Final = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?", re.ASCII)
_KUBERNETES_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What all ready-made rules are asked with.

    Args:
        audience: the `aud` of tokens for this deployment.
        place: where the role holds.
        role: read or write.
        tags: patterns of the only tags that may be pushed.
        name: of the rule; nothing for one that says what it is for.
    """

    audience: str
    place: Place
    role: Role = Role.WRITE
    tags: Sequence[str] = ()
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """Whose workflows and jobs are meant.

    Args:
        path: `OWNER`, or `OWNER/REPOSITORY`; of GitLab also a group within groups.
        host: of an installation of one's own; nothing for github.com and gitlab.com.
        owner_id: the owner's number, which nobody gets who takes the name of an owner that was deleted.
        refs: patterns of the only branches and tags, as `refs/heads/main`.
        events: by which the workflow was started; none for those that are usual.
        environments: the only environments of a deployment.
        linked: whether only repositories that are linked to the source of the workflow are meant.
    """

    path: str
    host: str | None = None
    owner_id: str | None = None
    refs: Sequence[str] = ()
    events: Sequence[str] = ()
    environments: Sequence[str] = ()
    linked: bool = True


def github(code: Code, wish: Wish) -> NewRule:
    """Return a rule for workflows of GitHub Actions.

    Raises:
        AccountInvalid: something in it is not as GitHub has it, or would let pull requests write.
    """
    parts = _path_of(code, Sentence("OWNER or OWNER/REPOSITORY"))
    if len(parts) > 2:  # noqa: PLR2004 - an owner, and one of its repositories
        _refuse(Sentence("%(path)r is neither OWNER nor OWNER/REPOSITORY, as GitHub has them.", path=code.path))
    conditions: dict[str, tuple[str, ...]] = (
        {"repository_owner": (code.path,)} if len(parts) == 1 else {"repository": (code.path,)}
    )
    if code.owner_id is not None:
        conditions["repository_owner_id"] = (_number(code.owner_id),)
    conditions |= _started("event_name", code, GITHUB_EVENTS, wish.role)
    conditions |= {"ref": tuple(code.refs)} if code.refs else {}
    conditions |= {"environment": tuple(code.environments)} if code.environments else {}
    host = _host_of(code)
    issuer = GITHUB if host is None else f"https://{host}/_services/token"
    return _rule("GitHub", issuer, f"https://{host or 'github.com'}/{{repository}}", conditions, code, wish)


def gitlab(code: Code, wish: Wish) -> NewRule:
    """Return a rule for jobs of GitLab CI.

    Raises:
        AccountInvalid: something in it is not as GitLab has it, or would let merge requests write.
    """
    parts = _path_of(code, Sentence("GROUP or GROUP/PROJECT"))
    # A path of several parts can be a project, or a group within a group.
    wanted = (f"{code.path}/*",) if len(parts) == 1 else (code.path, f"{code.path}/*")
    conditions: dict[str, tuple[str, ...]] = {"project_path": wanted}
    if code.owner_id is not None:
        conditions["namespace_id"] = (_number(code.owner_id),)
    conditions |= _started("pipeline_source", code, GITLAB_EVENTS, wish.role)
    conditions |= {"ref_path": tuple(code.refs)} if code.refs else {}
    conditions |= {"environment": tuple(code.environments)} if code.environments else {}
    issuer = f"https://{_host_of(code) or 'gitlab.com'}"
    return _rule("GitLab", issuer, f"{issuer.lower()}/{{project_path}}", conditions, code, wish)


def kubernetes(issuer: str, namespace: str, account: str, wish: Wish, jwks: str | None = None) -> NewRule:
    """Return a rule for the pods of one service account, or with `*` of every one in a namespace of the cluster.

    Args:
        issuer: of the cluster: `kubectl get --raw /.well-known/openid-configuration` names it.
        namespace: of the pods.
        account: their service account, or `*`.
        wish: what the rule gives.
        jwks: the cluster's keys, where it cannot be asked: `kubectl get --raw /openid/v1/jwks`.

    Raises:
        AccountInvalid: a name is none of Kubernetes.
    """
    if not _KUBERNETES_NAME.fullmatch(namespace):
        _refuse(Sentence("%(namespace)r is not the name of a namespace of Kubernetes.", namespace=namespace))
    if account != "*" and not _KUBERNETES_NAME.fullmatch(account):
        _refuse(
            Sentence(
                "%(account)r is not the name of a service account; give `*` for every one of the namespace.",
                account=account,
            )
        )
    return NewRule(
        name=wish.name or f"Kubernetes {namespace}/{account}",
        issuer=issuer,
        audience=wish.audience,
        conditions={"sub": (f"system:serviceaccount:{namespace}:{account}",)},
        place=wish.place,
        role=wish.role,
        tags=tuple(wish.tags),
        jwks=jwks,
    )


def _rule(forge: str, issuer: str, source: str, conditions: Conditions, code: Code, wish: Wish) -> NewRule:
    linked = code.linked and wish.place.repository is None
    return NewRule(
        name=wish.name or f"{forge} {code.path}",
        issuer=issuer,
        audience=wish.audience,
        conditions=conditions,
        place=wish.place,
        role=wish.role,
        source=source if linked else None,
        tags=tuple(wish.tags),
    )


def _started(claim: str, code: Code, usual: Sequence[str], role: Role) -> Conditions:
    """Return the condition on what started a workflow; for reading, anything may have."""
    events = tuple(code.events) or (tuple(usual) if role > Role.READ else ())
    foreign = sorted(_FOREIGN_EVENTS.intersection(events))
    if foreign and role > Role.READ:
        _refuse(
            Sentence(
                "%(foreign)s can run what strangers wrote, so a ready-made rule does not let it write; "
                "give it the role read, or make the rule by hand with `trust add`.",
                foreign=foreign[0],
            )
        )
    if any("*" in event for event in events):
        _refuse(Sentence("Name each event; a pattern of events could let one in that nobody thought of."))
    return {claim: events} if events else {}


def _path_of(code: Code, form: Sentence) -> list[str]:
    if not _PATH.fullmatch(code.path):
        _refuse(
            Sentence(
                "%(path)r is no path of code: give %(example)s, in the capitals that its page shows.",
                path=code.path,
                example=form,
            )
        )
    return code.path.split("/")


def _host_of(code: Code) -> str | None:
    if code.host is not None and not _HOST.fullmatch(code.host):
        _refuse(Sentence("%(host)r is no host; give for example git.example.com, without https://", host=code.host))
    return None if code.host is None else code.host.lower()


def _number(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,20}", text):
        _refuse(Sentence("%(text)r is no number of an owner.", text=text))
    return text


def _refuse(message: Sentence) -> None:
    raise AccountInvalid(message)


__all__ = ["GITHUB", "GITHUB_EVENTS", "GITLAB", "GITLAB_EVENTS", "Code", "Wish", "github", "gitlab", "kubernetes"]
