# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfinger.domain.errors import QueryInvalid
from wharfinger.domain.scopes import MAX_RESOURCES, Wanted, parse_scopes


def words(*texts):
    return [str(wanted) for wanted in parse_scopes(texts)]


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        ((), []),
        (("",), []),
        (("repository:acme/app:pull",), ["repository:acme/app:pull"]),
        (("repository:acme/app:push,pull",), ["repository:acme/app:pull,push"]),
        (("repository(plugin):acme/app:pull",), ["repository:acme/app:pull"]),
        (("repository:a/b:pull repository:a/c:pull",), ["repository:a/b:pull", "repository:a/c:pull"]),
        (("repository:a:pull", "repository:a:push"), ["repository:a:pull,push"]),
        (("repository:a:pull", "repository:b:pull", "repository:a:pull"), ["repository:a:pull", "repository:b:pull"]),
        (("repository:a:*",), ["repository:a:pull,push,delete"]),
        (("repository:a:pull,admin,fly",), ["repository:a:pull"]),
        (("repository:a:fly",), []),
        (("repository:a:",), []),
        (("registry:catalog:*",), ["registry:catalog:*"]),
        (("registry:catalog:pull",), []),
        (("registry:other:*",), []),
        (("galaxy:a:pull",), []),
        (("repository:registry.test:5000/acme/app:pull",), []),
        (("repository:ACME/app:pull",), []),
        (("repository:../x:pull",), []),
    ],
)
def test_what_a_scope_asks_for(texts, wanted):
    assert words(*texts) == wanted


@pytest.mark.parametrize("text", ["repository", "repository:acme/app", ":a:pull", "pull", "a:b", "::"])
def test_what_is_no_scope_is_refused_with_an_example(text):
    with pytest.raises(QueryInvalid, match=r"repository:acme/app:pull,push|type:name:actions"):
        parse_scopes([f"repository:a:pull {text}"])


def test_a_scope_that_is_no_scope_is_not_shown_at_length():
    with pytest.raises(QueryInvalid) as raised:
        parse_scopes(["x" * 5_000])
    assert len(raised.value.message) < 200


def test_the_number_of_resources_is_bounded():
    every = [f"repository:a{number}:pull" for number in range(MAX_RESOURCES)]
    assert len(parse_scopes(every)) == MAX_RESOURCES
    with pytest.raises(QueryInvalid, match="50"):
        parse_scopes([*every, "repository:b:pull"])


names = st.from_regex(r"[a-z0-9]{1,8}(/[a-z0-9]{1,8}){0,2}", fullmatch=True)
actions = st.lists(st.sampled_from(["pull", "push", "delete"]), min_size=1, unique=True)


@given(st.dictionaries(names, actions, max_size=10))
def test_what_was_written_is_read(resources):
    text = " ".join(f"repository:{name}:{','.join(some)}" for name, some in resources.items())
    read = {wanted.name: set(wanted.actions) for wanted in parse_scopes([text])}
    assert read == {name: set(some) for name, some in resources.items()}


@given(st.lists(st.text(max_size=40), max_size=8))
def test_any_text_is_read_or_refused(texts):
    try:
        found = parse_scopes(texts)
    except QueryInvalid:
        return
    assert all(isinstance(wanted, Wanted) and wanted.actions for wanted in found)
    assert parse_scopes([str(wanted) for wanted in found]) == found
