# SPDX-License-Identifier: Apache-2.0
"""Trust rules: which claims match, which rules can be made, and what the ready-made ones let in."""

from dataclasses import replace

import pytest

from wharfinger.domain.errors import AccountInvalid
from wharfinger.domain.forges import GITHUB, GITLAB, Code, Wish, github, gitlab, kubernetes
from wharfinger.domain.grants import DEPLOYMENT, Place
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.patterns import fits
from wharfinger.domain.roles import Role
from wharfinger.domain.sources import Source
from wharfinger.domain.trust import NewRule, check_rule, claim_at, mismatches, names_audience, source_of, texts_of

ACME = Place(registry_id=1, namespace="acme")
APP = Place(registry_id=1, repository=RepositoryName("acme/app"))
WISH = Wish(audience="registry.example.com", place=ACME)
OWN = "https://issuer.example.com"


def rule(**more):
    made = {
        "name": "builds",
        "issuer": OWN,
        "audience": "registry.example.com",
        "conditions": {"sub": ("build",)},
        "place": APP,
        "role": Role.WRITE,
    }
    return NewRule(**{**made, **more})


def said(new):
    """Return why a rule cannot be made, or nothing if it can."""
    try:
        check_rule(new)
    except AccountInvalid as error:
        return error.message
    return None


def matches(new, claims):
    return not mismatches(new.conditions, claims)


# Patterns


@pytest.mark.parametrize(
    ("pattern", "fitting", "others"),
    [
        ("acme", ["acme"], ["acme/", "Acme", "acm", "", "xacme", "acme\n"]),
        ("acme/*", ["acme/", "acme/app", "acme/a/b"], ["acme", "acme-evil/app", "x/acme/app"]),
        ("*", ["", "anything"], []),
        ("*/app", ["/app", "acme/app"], ["app", "acme/app2"]),
        ("a*b*c", ["abc", "axbxc", "abbcc"], ["ab", "acb", "abcd", "xabc"]),
        ("ab*ba", ["abba", "ab-ba"], ["aba"]),
        ("v1.*", ["v1.2"], ["v12", "v1"]),
        ("[a-z]+", ["[a-z]+"], ["a"]),
        ("a**b", ["ab", "axb"], ["a"]),
    ],
)
def test_a_pattern_speaks_of_the_whole_text(pattern, fitting, others):
    assert [text for text in fitting if not fits(pattern, text)] == []
    assert [text for text in others if fits(pattern, text)] == []


# Claims


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("sub", "build"),
        ("kubernetes.io", {"namespace": "prod", "a/b": {"~": "deep"}}),
        ("/kubernetes.io/namespace", "prod"),
        ("/kubernetes.io/a~1b/~0", "deep"),
        ("/sub", "build"),
        ("/sub/more", None),
        ("nothing", None),
        ("/", None),
        ("kubernetes.io/namespace", None),
    ],
)
def test_a_claim_is_found_by_its_name_or_by_a_pointer(path, found):
    claims = {"sub": "build", "kubernetes.io": {"namespace": "prod", "a/b": {"~": "deep"}}}
    assert claim_at(claims, path) == found


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("text", ("text",)),
        (True, ("true",)),
        (False, ("false",)),
        (17, ("17",)),
        (["a", 1, True, None, {"b": 1}], ("a", "1", "true")),
        (1.5, ()),
        (None, ()),
        ({"a": "b"}, ()),
    ],
)
def test_what_can_be_compared_of_a_claim(value, texts):
    assert texts_of(value) == texts


def test_every_condition_must_be_met_by_one_of_its_values():
    conditions = {"repository": ("acme/app", "acme/lib"), "ref": ("refs/heads/main",)}
    right = {"repository": "acme/lib", "ref": "refs/heads/main", "more": "of it"}
    assert not mismatches(conditions, right)
    assert [one.claim for one in mismatches(conditions, right | {"ref": "refs/heads/x"})] == ["ref"]
    assert [one.claim for one in mismatches(conditions, {})] == ["repository", "ref"]
    assert not mismatches({}, {})


@pytest.mark.parametrize(
    ("claims", "sentence"),
    [
        ({}, "owner must be 'acme' or 'beta', and the token does not say it"),
        ({"owner": "eve"}, "owner is 'eve', and must be 'acme' or 'beta'"),
        ({"owner": "Acme"}, "owner is 'Acme', and must be 'acme' or 'beta': capitals count"),
        ({"owner": ["x", "y"]}, "owner is 'x' and 'y', and must be 'acme' or 'beta'"),
    ],
)
def test_a_mismatch_says_what_is_and_what_would_be_right(claims, sentence):
    (found,) = mismatches({"owner": ("acme", "beta")}, claims)
    assert str(found) == sentence


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ("a", True),
        (["a"], True),
        (["b", "a"], True),
        ("A", False),
        (["b"], False),
        ("a b", False),
        (None, False),
        (7, False),
    ],
)
def test_an_audience_is_named_exactly(said, named):
    assert names_audience("a", {"aud": said}) is named


# Rules that can be made


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"name": " "}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"audience": ""}, "audience"),
        ({"issuer": "issuer.example.com"}, "https://"),
        ({"issuer": "https://issuer.example.com/?a=b"}, "https://"),
        ({"issuer": "https://u@issuer.example.com"}, "https://"),
        ({"issuer": "https://issuer.example.com\n"}, "https://"),
        ({"conditions": {"": ("a",)}}, "name of a claim"),
        ({"conditions": {"a": ()}}, "one to 32 values"),
        ({"conditions": {"a": ("",)}}, "is empty"),
        ({"conditions": {"a": ("x" * 513,)}}, "longer"),
        ({"conditions": {"a": ("*a" * 9,)}}, "more than 8"),
        ({"conditions": {"a": ("*",)}}, "lets every value in"),
        ({"conditions": {"a": ("b", "**")}}, "lets every value in"),
        ({"conditions": {f"c{number}": ("a",) for number in range(17)}}, "up to 16 conditions"),
        ({"place": DEPLOYMENT}, "not on the whole deployment"),
        ({"role": Role.NONE}, "read, write or admin"),
        ({"role": Role.READ, "tags": ("v*",)}, "need the role write"),
        ({"role": Role.ADMIN, "tags": ("v*",)}, "need the role write"),
        ({"tags": ("a b",)}, "patterns of tags"),
        ({"tags": tuple(f"v{number}" for number in range(17))}, "up to 16 patterns"),
        ({"source": "https://github.com/{repository}"}, "namespace or a registry"),
        ({"source": "https://github.com/{repository}", "place": ACME, "role": Role.ADMIN}, "read or write"),
        ({"source": "github.com/{repository}", "place": ACME}, "in braces"),
        ({"source": "https://github.com/{repository}/x", "place": ACME}, "in braces"),
    ],
)
def test_a_rule_that_cannot_count_says_what_would_be_right(more, words):
    assert words in (said(rule(**more)) or "")


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"conditions": {}},
        {"issuer": "http://issuer.internal:8080/path"},
        {"issuer": "kubernetes/serviceaccount", "jwks": "{}"},
        {"role": Role.ADMIN},
        {"tags": ("v*", "latest")},
        {"place": ACME, "source": "https://git.example.com:8443/{project_path}"},
    ],
)
def test_a_rule_that_can_count_is_taken(more):
    assert said(rule(**more)) is None


@pytest.mark.parametrize(
    ("issuer", "conditions"),
    [
        (GITHUB, {}),
        (GITHUB, {"event_name": ("push",)}),
        (GITHUB, {"ref": ("refs/heads/main",), "environment": ("production",)}),
        (GITHUB, {"repository_owner": ("acme*",)}),
        (GITHUB, {"repository": ("acme*",)}),
        (GITHUB, {"repository": ("acme*/app",)}),
        (GITHUB, {"repository": ("*/app",)}),
        (GITHUB, {"repository": ("acme/app", "*/app")}),
        (GITHUB, {"sub": ("repo:*",)}),
        (GITHUB, {"sub": ("repo:acme*:ref:refs/heads/main",)}),
        (GITHUB, {"repository_owner_id": ("1*",)}),
        (GITLAB, {}),
        (GITLAB, {"namespace_path": ("acme*",)}),
        (GITLAB, {"project_path": ("*/app",)}),
        (GITLAB, {"sub": ("project_path:acme*",)}),
        ("https://accounts.google.com", {"email_verified": ("true",)}),
        ("https://accounts.google.com", {"email": ("*@example.com",)}),
    ],
)
def test_a_rule_that_lets_strangers_in_is_refused(issuer, conditions):
    assert "Strangers get tokens" in said(rule(issuer=issuer, conditions=conditions))


@pytest.mark.parametrize(
    ("issuer", "conditions"),
    [
        (GITHUB, {"repository_owner": ("acme",)}),
        (GITHUB, {"repository": ("acme/*",)}),
        (GITHUB, {"repository_owner_id": ("4711",), "repository": ("*/app",)}),
        (GITHUB, {"sub": ("repo:acme/app:*",)}),
        (GITHUB, {"job_workflow_ref": ("acme/workflows/.github/workflows/build.yml@*",)}),
        (GITLAB, {"namespace_path": ("acme", "acme/*")}),
        (GITLAB, {"project_path": ("acme/app",)}),
    ],
)
def test_a_rule_that_names_whose_workloads_are_meant_is_taken(issuer, conditions):
    assert said(rule(issuer=issuer, conditions=conditions)) is None


# The ready-made rules

WORKFLOW = {
    "repository": "acme/app",
    "repository_owner": "acme",
    "repository_owner_id": "65",
    "event_name": "push",
    "ref": "refs/heads/main",
    "ref_type": "branch",
}
JOB = {"project_path": "acme/app", "namespace_path": "acme", "pipeline_source": "push", "ref_path": "refs/heads/main"}


def test_the_rule_for_github_lets_workflows_of_the_owner_push_what_is_linked():
    made = github(Code(path="acme"), WISH)
    assert said(made) is None
    assert (made.issuer, made.role, made.source) == (GITHUB, Role.WRITE, "https://github.com/{repository}")
    assert matches(made, WORKFLOW)
    for changed in ({"repository_owner": "eve"}, {"repository_owner": "Acme"}, {"event_name": "pull_request"}):
        assert not matches(made, WORKFLOW | changed)


@pytest.mark.parametrize(
    "event",
    ["pull_request", "pull_request_target", "workflow_run", "issue_comment", "merge_group", "pull_request_review"],
)
def test_what_strangers_can_start_on_github_never_writes_by_the_ready_rule(event):
    assert not matches(github(Code(path="acme"), WISH), WORKFLOW | {"event_name": event})
    with pytest.raises(AccountInvalid, match="strangers"):
        github(Code(path="acme", events=("push", event)), WISH)
    reading = github(Code(path="acme", events=(event,)), replace(WISH, role=Role.READ))
    assert matches(reading, WORKFLOW | {"event_name": event})


def test_the_rule_for_github_can_be_narrowed():
    code = Code(path="acme/app", owner_id="65", refs=("refs/tags/v*",), environments=("production",))
    made = github(code, replace(WISH, place=APP, tags=["v*"]))
    right = WORKFLOW | {"ref": "refs/tags/v1", "environment": "production"}
    assert (said(made), made.source, made.tags) == (None, None, ("v*",))
    assert matches(made, right)
    for changed in (
        {"repository": "acme/other"},
        {"repository_owner_id": "66"},
        {"ref": "refs/heads/v1"},
        {"environment": "staging"},
    ):
        assert not matches(made, right | changed)


def test_a_github_of_ones_own_has_its_own_issuer_and_source():
    made = github(Code(path="acme", host="Git.Example.com"), WISH)
    assert made.issuer == "https://git.example.com/_services/token"
    assert source_of([made], WORKFLOW) == Source("https://git.example.com/acme/app")


def test_the_rule_for_gitlab_lets_jobs_of_a_group_push_what_is_linked():
    made = gitlab(Code(path="acme"), WISH)
    assert said(made) is None
    assert (made.issuer, made.source) == (GITLAB, "https://gitlab.com/{project_path}")
    assert matches(made, JOB)
    assert matches(made, JOB | {"project_path": "acme/deep/app"})
    for changed in ({"project_path": "acme-evil/app"}, {"project_path": "acme"}, {"pipeline_source": "chat"}):
        assert not matches(made, JOB | changed)


@pytest.mark.parametrize("event", ["merge_request_event", "external_pull_request_event", "parent_pipeline", "chat"])
def test_what_strangers_can_start_on_gitlab_never_writes_by_the_ready_rule(event):
    assert not matches(gitlab(Code(path="acme/app"), WISH), JOB | {"pipeline_source": event})
    with pytest.raises(AccountInvalid, match="strangers"):
        gitlab(Code(path="acme", events=(event,)), WISH)


def test_a_path_on_gitlab_is_a_project_or_a_group_within_a_group():
    made = gitlab(Code(path="acme/deep", host="gitlab.example.com"), WISH)
    assert made.issuer == "https://gitlab.example.com"
    assert matches(made, JOB | {"project_path": "acme/deep"})
    assert matches(made, JOB | {"project_path": "acme/deep/app"})
    assert not matches(made, JOB | {"project_path": "acme/deeper"})


def test_the_rule_for_kubernetes_names_a_service_account():
    one = kubernetes(OWN, "prod", "web", replace(WISH, role=Role.READ))
    every = kubernetes(OWN, "prod", "*", replace(WISH, role=Role.READ))
    assert said(one) is said(every) is None
    web, other = ({"sub": f"system:serviceaccount:{name}"} for name in ("prod:web", "prod:other"))
    assert [matches(one, web), matches(one, other)] == [True, False]
    assert [matches(every, web), matches(every, other)] == [True, True]
    assert not matches(every, {"sub": "system:serviceaccount:prod2:web"})


@pytest.mark.parametrize(
    "make",
    [
        lambda: github(Code(path="acme/app/x"), WISH),
        lambda: github(Code(path=""), WISH),
        lambda: github(Code(path="acme/*"), WISH),
        lambda: github(Code(path="https://github.com/acme"), WISH),
        lambda: github(Code(path="acme", owner_id="x"), WISH),
        lambda: github(Code(path="acme", host="https://git.example.com"), WISH),
        lambda: github(Code(path="acme", events=("pu*",)), WISH),
        lambda: gitlab(Code(path="acme//app"), WISH),
        lambda: kubernetes(OWN, "*", "web", WISH),
        lambda: kubernetes(OWN, "prod", "we*", WISH),
        lambda: kubernetes(OWN, "prod:x", "web", WISH),
    ],
)
def test_a_ready_rule_refuses_what_its_forge_does_not_have(make):
    with pytest.raises(AccountInvalid):
        make()


# Sources


@pytest.mark.parametrize(
    "text",
    [
        "https://github.com/acme/app",
        "https://GitHub.com/Acme/App",
        "https://github.com/acme/app/",
        "https://github.com/acme/app.git",
    ],
)
def test_the_same_source_is_recognised_however_it_is_written(text):
    assert Source("https://github.com/acme/app").is_at(text)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "https://github.com/acme/app2",
        "https://github.com/acme",
        "https://github.com.evil.example/acme/app",
        "http://github.com/acme/app",
        "https://github.com/acme/app//",
        "https://github.com/acme/\u212app",
    ],
)
def test_another_source_is_another(text):
    assert not Source("https://github.com/acme/app").is_at(text)


@pytest.mark.parametrize(
    ("name", "in_registry", "in_namespace"),
    [
        ("acme/app", True, True),
        ("acme/app/web", True, True),
        ("acme/app/web/arm", True, True),
        ("other/app/web", False, True),
        ("acme/app2", False, False),
        ("acme/web", False, False),
        ("acme", False, False),
        ("app", False, False),
        ("x/acme/app", False, False),
    ],
)
def test_the_names_of_a_source_begin_as_its_path_does(name, in_registry, in_namespace):
    source = Source.parse("https://github.com/Acme/App")
    assert source.owns(RepositoryName(name), in_namespace=False) is in_registry
    assert source.owns(RepositoryName(name), in_namespace=True) is in_namespace


@pytest.mark.parametrize("said", [None, "", 7, ["acme/app"], "x" * 513, "acme/\u212app", "a b"])
def test_a_claim_that_is_no_path_leads_to_no_source(said):
    assert source_of([github(Code(path="acme"), WISH)], {"repository": said}) is None
