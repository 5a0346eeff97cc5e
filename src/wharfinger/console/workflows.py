# SPDX-License-Identifier: Apache-2.0
"""What a workflow, a job or a cluster says to come in by a trust rule: ready to be copied into its own files."""

import enum
import json
from dataclasses import dataclass

from wharfinger.domain.trust import NewRule

_PODS = "system:serviceaccount:"


class Kind(enum.StrEnum):
    """For whom a rule is."""

    GITHUB = "github"
    GITLAB = "gitlab"
    KUBERNETES = "kubernetes"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of a file, and the name of that file."""

    file: str
    text: str


def kind_of(rule: NewRule) -> Kind:
    """Return for whom a rule is, by the claims that it asks for."""
    if {"repository", "repository_owner"} & set(rule.conditions):
        return Kind.GITHUB
    if "project_path" in rule.conditions:
        return Kind.GITLAB
    if any(value.startswith(_PODS) for value in rule.conditions.get("sub", ())):
        return Kind.KUBERNETES
    return Kind.OTHER


def snippet(rule: NewRule, host: str, site: str) -> Snippet:
    """Return what is to be copied.

    Args:
        rule: by which somebody comes in.
        host: of the registry, as it stands in the name of an image.
        site: its URL, without a slash at its end.
    """
    audience, image = json.dumps(rule.audience, ensure_ascii=False), f"{host}/{_name(rule)}"
    match kind_of(rule):
        case Kind.GITHUB:
            return Snippet(".github/workflows/image.yml", _GITHUB.format(audience=audience, image=image, site=site))
        case Kind.GITLAB:
            return Snippet(".gitlab-ci.yml", _GITLAB.format(audience=audience, image=image, host=host))
        case Kind.KUBERNETES:
            namespace, account = _pod(rule)
            text = _KUBERNETES.format(audience=audience, host=host, namespace=namespace, account=account)
            return Snippet("kubectl", text)
        case Kind.OTHER:
            return Snippet("sh", _OTHER.format(host=host, site=site))


def _name(rule: NewRule) -> str:
    """Return the name of a repository that the rule reaches, as an example."""
    place = rule.place
    if place.repository is not None:
        return str(place.repository)
    (path, *_) = (*rule.conditions.get("repository", ()), *rule.conditions.get("project_path", ()), "")
    rest = path.rstrip("/*").partition("/")[2].lower() or "app"
    return f"{place.namespace}/{rest}" if place.namespace is not None else path.rstrip("/*").lower() or "acme/app"


def _pod(rule: NewRule) -> tuple[str, str]:
    namespace, _, account = rule.conditions["sub"][0].removeprefix(_PODS).partition(":")
    return namespace, "default" if account in {"", "*"} else account


_GITHUB = """\
name: image
on:
  push:
    branches: [main]
permissions:
  contents: read
  id-token: write
jobs:
  image:
    runs-on: ubuntu-latest
    env:
      AUDIENCE: {audience}
      IMAGE: {image}
    steps:
      - uses: actions/checkout@v4
      - name: Sign in
        run: |
          set -euo pipefail
          identity=$(curl -fsSG -H "Authorization: Bearer $ACTIONS_ID_TOKEN_REQUEST_TOKEN" \\
            "$ACTIONS_ID_TOKEN_REQUEST_URL" --data-urlencode "audience=$AUDIENCE" | jq -r .value)
          credential=$(curl -fsS {site}/token \\
            --data-urlencode grant_type=urn:ietf:params:oauth:grant-type:token-exchange \\
            --data-urlencode subject_token_type=urn:ietf:params:oauth:token-type:jwt \\
            --data-urlencode "subject_token=$identity" | jq -r .access_token)
          echo "::add-mask::$credential"
          echo "$credential" | docker login "${{IMAGE%%/*}}" -u workflow --password-stdin
      - run: docker build -t "$IMAGE:${{GITHUB_SHA::12}}" .
      - run: docker push "$IMAGE:${{GITHUB_SHA::12}}"
"""
_GITLAB = """\
image:
  image: docker:27
  services: [docker:27-dind]
  variables:
    IMAGE: {image}
  id_tokens:
    JOB_IDENTITY:
      aud: {audience}
  script:
    - echo "$JOB_IDENTITY" | docker login {host} -u job --password-stdin
    - docker build -t "$IMAGE:$CI_COMMIT_SHORT_SHA" .
    - docker push "$IMAGE:$CI_COMMIT_SHORT_SHA"
"""
_KUBERNETES = """\
kubectl -n {namespace} create token {account} --audience {audience} --duration 1h > token
printf '{{"auths":{{"{host}":{{"username":"{account}","password":"%s"}}}}}}' "$(cat token)" |
  kubectl -n {namespace} create secret docker-registry registry --from-file=.dockerconfigjson=/dev/stdin
"""
_OTHER = """\
credential=$(curl -fsS {site}/token \\
  --data-urlencode grant_type=urn:ietf:params:oauth:grant-type:token-exchange \\
  --data-urlencode subject_token_type=urn:ietf:params:oauth:token-type:jwt \\
  --data-urlencode "subject_token=$(cat identity.jwt)" | jq -r .access_token)
echo "$credential" | docker login {host} -u workload --password-stdin
"""
