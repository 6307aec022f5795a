"""A report is one page that holds what it shows, whatever the texts contain."""

import dataclasses
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from textgen.card_parts import StorageSummary
from textgen.report import render, write_report
from textgen.report.charts import attention_chart, distance_chart
from textgen.report.contents import Contents, Passage, Sample, collect
from textgen.report.run_history import read_samples
from textgen.run import RunFolder


class Page(HTMLParser):
    """Collects the tags and addresses of a page, and checks that tags are closed."""

    OPEN = frozenset({"meta", "br", "img", "input", "link", "path", "use", "rect", "circle"})

    def __init__(self, text):
        super().__init__()
        self.tags, self.addresses, self.text = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.addresses += [
            value for name, value in attributes if name in ("src", "href", "xlink:href", "action")
        ]

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def contents(models):
    return collect("fox", models)


def test_the_page_holds_everything_and_loads_nothing(contents):
    text = render(contents)
    page = Page(text)
    assert len(text.encode()) < 3_000_000
    assert "script" not in page.tags
    assert all(address.startswith("#") for address in page.addresses)
    assert not re.search(r"url\((?!#)|@import|https?://(?!www\.w3\.org)", text)
    shown = "".join(page.text)
    titles = ("What it writes", "How it learned to write", "What surprises it", "The model")
    for title in (*titles, "Where its heads look", "Make it again"):
        assert title in shown
    assert page.tags.count("svg") >= 2
    assert shown.count("characters of it stand in a row in the corpus.") + shown.count(
        "of it stands in the corpus"
    ) == len(contents.samples)


def test_a_shrunk_model_shows_its_own_loss_and_that_of_the_original(contents):
    storage = StorageSummary(
        precision="int8",
        bits_per_character=2.5,
        original_bits_per_character=2.25,
        text="letters.txt",
    )
    page = render(
        dataclasses.replace(contents, card={**contents.card, "storage": storage.to_dict()})
    )
    assert "int8: 2.500 bits per character on letters.txt, 2.250 with the original weights" in page
    older = StorageSummary(precision="int8").to_dict()
    page = render(dataclasses.replace(contents, card={**contents.card, "storage": older}))
    assert "stored as int8. Steps and losses of its training are those of the original." in page


def test_the_same_contents_are_the_same_page(contents):
    assert render(contents) == render(contents)


def test_all_attention_is_at_some_distance_and_in_the_past(contents):
    attention = contents.attention
    np.testing.assert_allclose(attention.by_distance.sum(-1), 1, atol=1e-5)
    assert [first for first, _ in attention.distances] == [0, 1, 2, 3, 4]
    assert attention.distances[-1] == (4, 7)
    np.testing.assert_allclose(attention.weights.sum(-1), 1, atol=1e-5)
    assert not np.triu(attention.weights, 1).any()
    assert len(attention.tokens) == len(attention.weights) == 8


def test_charts_of_attention_are_small():
    layers, heads, tokens = 12, 12, 24
    weights = np.random.default_rng(0).dirichlet([0.2] * tokens, tokens)
    by_distance = np.random.default_rng(0).dirichlet([1] * 10, (layers, heads))
    distances = [(2**power, 2 ** (power + 1) - 1) for power in range(10)]
    charts = distance_chart(by_distance, distances), attention_chart(["é"] * tokens, weights)
    assert sum(len(chart.encode()) for chart in charts) < 300_000


def test_what_texts_contain_is_no_markup(contents):
    evil = '<script>alert("1")</script>&amp;'
    changed = dataclasses.replace(
        contents,
        name=evil,
        samples=(Sample(1.0, evil, evil, None),),
        growth=((1, evil),),
        passages=(Passage(evil, ((evil, 3.0),)),),
        attention=dataclasses.replace(contents.attention, tokens=(evil,) * 8),
        embedding=tuple((f"$<b>{i}&$", float(i), float(i * i)) for i in range(5)),
        recipe=(evil,),
        notes=(evil,),
    )
    page = Page(render(changed))
    assert "script" not in page.tags
    assert "b" not in page.tags
    assert "".join(page.text).count("alert") >= 5


def test_a_model_that_was_not_trained_here_has_a_shorter_report(contents):
    training = ("training", "corpus", "steps", "best_step", "validation_loss")
    card = {name: value for name, value in contents.card.items() if name not in training}
    nothing = Contents(
        "bare", None, card, (), contents.samples, (), None, (), None, (), (), ("No run.",)
    )
    assert "No run." in render(nothing)


def test_a_report_is_written_atomically_to_its_file(models, tmp_path, monkeypatch):
    path = write_report("fox", tmp_path / "deep" / "fox.html", models)
    assert path.read_text("utf-8").startswith("<!doctype html>")
    assert [file.name for file in path.parent.iterdir()] == ["fox.html"]


def test_samples_are_those_of_the_first_the_last_and_some_steps_between(tmp_path):
    folder = RunFolder(tmp_path)
    assert read_samples(folder, 3) == []
    lines = [f'{{"step": {step}, "text": "t{step}"}}' for step in range(1, 10)]
    folder.samples.write_text("\n".join([*lines, "{", '{"step": 3}', '{"step": -1}']), "utf-8")
    assert read_samples(folder, 3) == [(1, "t1"), (5, "t5"), (9, "t9")]
    assert len(read_samples(folder, 99)) == 9
