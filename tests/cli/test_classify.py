"""A model that learns texts under labels: `textgen generate --label` and `textgen classify`."""

import json

import pytest

pytestmark = pytest.mark.usefixtures("stays_open")

STYLES = {"poem": "la li la lo la", "prose": "so it was so"}


@pytest.fixture(scope="module")
def models(learn, tmp_path_factory):
    """A models folder with one model, `styles`, that knows a text of each of two labels."""
    folder = tmp_path_factory.mktemp("labels")
    table = folder / "styles.csv"
    table.write_text("style,text\n" + "".join(f"{k},{v}\n" for k, v in STYLES.items()))
    learn(table, "--label-column", "style", "--models-dir", folder)
    return folder


@pytest.mark.parametrize("label", STYLES)
def test_a_text_is_generated_under_its_label(run, models, label):
    options = ["--label", label, "--temperature", "0", "--models-dir", models]
    assert run("generate", "-m", "styles", *options).stdout == f"{STYLES[label]}\n"
    beginning = STYLES[label][:5]
    assert run("generate", "-m", "styles", beginning, *options).stdout == f"{STYLES[label]}\n"


@pytest.mark.parametrize("arguments", [[], ["--label", "essay"], ["--label", "poem", "--raw"]])
def test_a_label_must_be_one_that_the_model_learned(run, models, arguments):
    result = run("generate", "-m", "styles", *arguments, "--models-dir", models)
    assert result.exit_code == 2
    assert "--label" in result.stderr


def test_texts_get_the_label_that_fits_best(run, models, tmp_path):
    table = tmp_path / "new.csv"
    table.write_text("text\nla lo la li\nit was so so\n")
    result = run("classify", table, "-m", "styles", "--models-dir", models)
    assert [line.split("\t")[0] for line in result.stdout.splitlines()] == [*STYLES]
    result = run("classify", table, "-m", "styles", "--json", "--models-dir", models)
    first = json.loads(result.stdout.splitlines()[0])
    assert first["label"] == "poem"
    assert sum(first["probabilities"].values()) == pytest.approx(1)


def test_labels_are_counted_against_the_true_ones(run, models, tmp_path):
    table = tmp_path / "new.csv"
    table.write_text("style,text\npoem,la lo la li\nprose,it was so so\npoem,so it was\n")
    options = ["-m", "styles", "--against", "style", "--models-dir", models]
    result = run("classify", table, *options)
    assert result.stdout.startswith("accuracy 0.667")
    found = json.loads(run("classify", table, *options, "--json").stdout)
    assert found["confusion"] == [[1, 1], [0, 1]]
    assert found["precision"] == {"poem": 1.0, "prose": 0.5}
    assert found["recall"] == {"poem": 0.5, "prose": 1.0}
    assert found["f1"] == {"poem": pytest.approx(2 / 3), "prose": pytest.approx(2 / 3)}


def test_the_name_of_a_file_may_be_the_true_label(run, models, tmp_path):
    (tmp_path / "prose.txt").write_text("so it was")
    options = ["-m", "styles", "--against-files", "--models-dir", models]
    result = run("classify", tmp_path / "prose.txt", *options)
    assert result.stdout.startswith("accuracy 1.000")


def test_a_true_label_that_the_model_lacks_is_refused(run, models, tmp_path):
    table = tmp_path / "new.csv"
    table.write_text("style,text\nessay,la lo la li\n")
    result = run("classify", table, "-m", "styles", "--against", "style", "--models-dir", models)
    assert result.exit_code == 1
    assert "must be one of 'poem', 'prose'. Received: 'essay'" in result.stderr


def test_a_model_without_labels_cannot_classify(run, faq_models, tmp_path):
    (tmp_path / "new.txt").write_text("la")
    result = run("classify", tmp_path / "new.txt", "-m", "faq", "--models-dir", faq_models)
    assert result.exit_code == 2
    assert "was trained without labels" in result.stderr
