# SPDX-License-Identifier: Apache-2.0
"""A sentence is English text wherever it goes, and another language's where a page says it."""

import copy
import json
import pickle

import pytest

from wharfinger.domain.errors import NameInvalid
from wharfinger.domain.names import parse_repository_name
from wharfinger.domain.sentences import Sentence, joined

KOREAN = {
    "There is no tag %(name)r here.": "여기에는 태그 %(name)r이(가) 없습니다.",
    "%(what)s: %(why)s": "%(why)s (%(what)s)",
    "it is empty": "비어 있습니다",
    " and ": " 및 ",
}


def korean(text):
    return KOREAN.get(text, text)


def test_it_is_an_english_text():
    sentence = Sentence("There is no tag %(name)r here.", name="v1")
    assert sentence == "There is no tag 'v1' here."
    assert json.dumps({"message": sentence}) == '{"message": "There is no tag \'v1\' here."}'


def test_it_is_said_in_another_language_with_the_same_values():
    assert Sentence("There is no tag %(name)r here.", name="v1").said(korean) == "여기에는 태그 'v1'이(가) 없습니다."


def test_a_value_that_is_a_sentence_is_translated_and_any_other_is_not():
    sentence = Sentence("%(what)s: %(why)s", what="it is empty", why=Sentence("it is empty"))
    assert sentence == "it is empty: it is empty"
    assert sentence.said(korean) == "비어 있습니다 (it is empty)"


@pytest.mark.parametrize("value", ["100%", "%s", "%(name)s", "%(why)r"])
def test_what_somebody_typed_is_no_template(value):
    assert (
        Sentence("There is no tag %(name)r here.", name=value).said(korean)
        == f"여기에는 태그 {value!r}이(가) 없습니다."
    )
    assert Sentence(value).said(korean) == value


def test_sentences_in_a_row_are_each_translated():
    row = joined(Sentence(" and "), [Sentence("it is empty"), Sentence("%(name)r", name="a"), Sentence("it is empty")])
    assert row == "it is empty and 'a' and it is empty"
    assert row.said(korean) == "비어 있습니다 및 'a' 및 비어 있습니다"
    assert joined("; ", [Sentence("it is empty")]).said(korean) == "비어 있습니다"


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_copy_is_the_same_sentence(again):
    sentence = Sentence("There is no tag %(name)r here.", name="v1")
    assert again(sentence) == sentence
    assert again(sentence).said(korean) == sentence.said(korean)


def test_an_error_carries_its_sentence():
    with pytest.raises(NameInvalid) as caught:
        parse_repository_name("Acme/App")
    assert str(caught.value) == "'Acme/App' is not a repository name: names are lower-case; 'acme/app' would be right."
    said = caught.value.message.said(lambda text: "%(why)s" if text.startswith("%(shown)r") else text)
    assert said == "names are lower-case; 'acme/app' would be right."
