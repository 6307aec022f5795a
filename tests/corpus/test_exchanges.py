"""Rows with a prompt: questions with answers, dialogues, and texts under labels."""

import json
from collections import Counter

import pytest

from textgen.config import CorpusConfig
from textgen.corpus import (
    MARK,
    Exchange,
    find_files,
    join_blocks,
    read_blocks,
    read_corpus,
    to_exchanges,
)
from textgen.errors import ConfigError, CorpusError

FAQ = CorpusConfig(prompt_column="q", text_column="a", validation_split=0)
TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hi!"},
    {"role": "user", "content": "Bye"},
    {"role": "assistant", "content": "See you."},
]


def render(messages):
    return "".join(f"{each['role'][0]}:{each['content']}|" for each in messages)


@pytest.fixture
def read(tmp_path):
    """Read the exchanges of files, given as texts by name: the training ones, and the others."""

    def read(files, config, render=render):
        for name, text in files.items():
            (tmp_path / name).write_text(text, encoding="utf-8")
        sources = find_files([tmp_path / name for name in files])
        with read_corpus(sources, config, render=render) as corpus:
            parts = []
            for part in (corpus.train, corpus.validation):
                documents = [text for block in part.blocks() for text in block if text]
                parts.append([to_exchanges(document) for document in documents])
            return *parts, corpus.facts

    return read


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("faq.csv", 'a,q\n"That, then.",What?\nNow.,When?\n'),
        ("faq.tsv", "q\ta\nWhat?\tThat, then.\nWhen?\tNow.\n"),
        ("faq.jsonl", '{"q": "What?", "a": "That, then."}\n{"q": "When?", "a": "Now."}\n'),
        ("faq.json", '[{"q": "What?", "a": "That, then."}, {"q": "When?", "a": "Now."}]'),
    ],
)
def test_each_row_is_a_prompt_and_its_answer(read, name, text):
    train, _, facts = read({name: text}, FAQ)
    assert train == [[Exchange("u:What?|", "That, then.")], [Exchange("u:When?|", "Now.")]]
    assert facts.has_prompts
    assert facts.has_documents
    assert facts.num_documents == 2
    assert facts.num_characters == len("That, then.Now.")  # what is learned


def test_each_answer_of_a_dialogue_follows_all_before_it(read):
    row = json.dumps({"messages": TALK})
    train, _, facts = read({"talk.jsonl": row}, CorpusConfig())
    assert train == [
        [
            Exchange("s:Be brief.|u:Hello|", "Hi!"),
            Exchange("s:Be brief.|u:Hello|a:Hi!|u:Bye|", "See you."),
        ]
    ]
    assert facts.num_documents == 1


def test_prompts_and_answers_are_cleaned_as_they_will_be_asked(read):
    config = CorpusConfig(prompt_column="1", text_column="2", lowercase=True, redact=("email",))
    train, _, _ = read({"faq.csv": "Who?,Me: a@b.org\n"}, config)
    assert train == [[Exchange("u:who?|", "me: [email]")]]


def test_rows_without_an_answer_are_skipped_and_counted(read, caplog):
    train, _, _ = read({"faq.csv": "q,a\nWhat?,\nWhen?,Now.\n,Never.\nWho?,  \n"}, FAQ)
    assert train == [[Exchange("u:When?|", "Now.")]]
    assert "Skipped rows without a prompt or a text: 2" in caplog.text


def test_a_corpus_without_any_answer_is_refused(read):
    with pytest.raises(CorpusError, match="The corpus is empty"):
        read({"faq.csv": "q,a\nWhat?,\n"}, FAQ)


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        (TALK[2:], "must not begin with the assistant"),
        (TALK[:2], "must have a message of the assistant"),
        ([], "must be a list with one message or more"),
        ([{"role": "user", "content": None}], "must have a content"),
        ([{"role": "user", "content": "a\ud800"}, TALK[2]], "without lone surrogates"),
        ([{"role": "user", "content": f"a{MARK}b"}, TALK[2]], "without lone surrogates"),
    ],
)
def test_a_dialogue_of_another_form_is_refused_in_one_sentence(read, messages, problem):
    row = json.dumps({"messages": messages})
    with pytest.raises(CorpusError, match=problem) as caught:
        read({"talk.jsonl": row}, CorpusConfig())
    assert "row 1" in str(caught.value)
    good = json.dumps({"messages": TALK})
    train, _, _ = read({"talk.jsonl": f"{row}\n{good}"}, CorpusConfig(skip_bad_rows=True))
    assert len(train) == 1


def test_few_rows_are_all_learned_and_many_are_validated_by_whole_rows(read):
    config = CorpusConfig(prompt_column="q", text_column="a")
    rows = [f"How many is {i}?,It is {i}.\n" for i in range(1000)]
    train, validation, _ = read({"faq.csv": "q,a\n" + "".join(rows[:999])}, config)
    assert (len(train), len(validation)) == (999, 0)
    train, validation, _ = read({"faq.csv": "q,a\n" + "".join(rows)}, config)
    assert abs(len(validation) - 100) <= 2
    assert validation[-1] == [Exchange("u:How many is 999?|", "It is 999.")]


def test_a_label_is_the_prompt_of_its_text_and_every_label_is_validated(read):
    rows = [{"style": i < 60, "text": f"This is the text number {i} of all."} for i in range(80)]
    text = "\n".join(json.dumps({**row, "style": int(row["style"])}) for row in rows)
    train, validation, facts = read({"a.jsonl": text}, CorpusConfig(label_column="style"))
    assert train[0] == [Exchange("u:1|", "This is the text number 0 of all.")]
    assert Counter(row[0].prompt for row in validation) == {"u:1|": 6, "u:0|": 2}
    assert facts.labels == ("1", "0")


def test_the_names_of_files_label_their_documents(read):
    config = CorpusConfig(label_files=True, split_documents="line", validation_split=0)
    train, _, facts = read(
        {"austen.txt": "It is a truth.\nSo it is.\n", "doyle.txt": "To S.\n"}, config
    )
    assert [row[0] for row in train] == [
        Exchange("u:austen|", "It is a truth."),
        Exchange("u:austen|", "So it is."),
        Exchange("u:doyle|", "To S."),
    ]
    assert facts.labels == ("austen", "doyle")


def test_a_column_of_many_values_holds_no_labels(read):
    text = "style,text\n" + "".join(f"{i},Text.\n" for i in range(1001))
    with pytest.raises(CorpusError, match=r"at most 1,000 labels.*'1000'"):
        read({"a.csv": text}, CorpusConfig(label_column="style"))


def test_a_label_that_only_validation_has_is_refused(read, tmp_path):
    (tmp_path / "other.csv").write_text("style,text\nprose,So.\n")
    (tmp_path / "a.csv").write_text("style,text\npoem,Tyger.\n")
    config = CorpusConfig(label_column="style")
    with pytest.raises(CorpusError, match=r"'poem'\. Received: 'prose'"):
        read_corpus(
            find_files([tmp_path / "a.csv"]),
            config,
            validation=find_files([tmp_path / "other.csv"]),
        )


@pytest.mark.parametrize(
    "settings",
    [
        {"prompt_column": "q", "label_column": "style"},
        {"label_column": "style", "label_files": True, "split_documents": "line"},
        {"label_files": True},
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings):
    with pytest.raises(ConfigError):
        CorpusConfig(**settings)


def test_a_missing_column_is_named(read):
    with pytest.raises(CorpusError, match=r"no column 'q'.*prompt with prompt_column"):
        read({"faq.csv": "question,a\nWhat?,That.\n"}, FAQ)
    with pytest.raises(CorpusError, match=r"row 1 has no 'q'.*prompt with prompt_column"):
        read({"faq.jsonl": '{"question": "What?", "a": "That."}'}, FAQ)
    with pytest.raises(CorpusError, match=r"prompt_column needs a \.csv"):
        read({"faq.txt": "What? That."}, FAQ)


def test_without_a_template_rows_are_ordinary_texts(tmp_path):
    """So that a table of dialogues can be inspected, or scored by any model."""
    (tmp_path / "talk.jsonl").write_text(json.dumps({"messages": TALK}), encoding="utf-8")
    blocks = read_blocks(find_files([tmp_path / "talk.jsonl"]), CorpusConfig())
    assert [*join_blocks(blocks)] == ["Be brief.\nHello\nHi!\nBye\nSee you."]
    (tmp_path / "faq.csv").write_text("q,a\nWhat?,That.\n", encoding="utf-8")
    assert [*join_blocks(read_blocks(find_files([tmp_path / "faq.csv"]), FAQ))] == ["What?\nThat."]
