"""What is in a corpus is found, and nothing in a clean one."""

import json

import pytest

from textgen.config import CorpusConfig
from textgen.errors import CorpusError
from textgen.inspection import inspect
from textgen.inspection.characters import find_mojibake, scripts

CLEAN = "".join(
    f"Line {i} of a plain text; the fox number {i * i} jumps, and {i * 7 % 10} dogs sleep.\n"
    for i in range(60)
)


@pytest.fixture
def look(tmp_path):
    def look(content, name="a.txt", **settings):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return inspect([tmp_path], CorpusConfig(**settings))

    return look


def found(inspection):
    return {finding.kind: finding for finding in inspection.findings}


def test_a_clean_text_needs_nothing(look):
    inspection = look(CLEAN)
    assert inspection.findings == ()
    assert inspection.facts["characters"] == len(CLEAN)
    assert inspection.facts["lines"] == 61
    assert inspection.scripts == (("Latin", 1.0),)
    predicted = inspection.facts["bits per character, Kneser-Ney 5"]
    assert 0 < predicted < inspection.facts["bits per character, single characters"]
    json.dumps(inspection.to_dict())


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("mojibake", CLEAN + "The cafÃ© said â€œnoâ€\x9d.\n"),
        ("replacement characters", CLEAN + "caf\ufffd\n"),
        ("control characters", CLEAN + "\x1b[0m\x07\n"),
        ("invisible characters", CLEAN + "soft\u00adhyphen \ufeff\n"),
        ("long lines", CLEAN + "word " * 3000),
        ("rare characters", CLEAN + "".join(map(chr, range(0x4E00, 0x4E20)))),
        ("repeated lines", CLEAN + "Copyright by nobody at all, all rights left.\n" * 9),
        ("personal data", CLEAN + "Write to ada@example.org or call +49 30 1234567.\n"),
    ],
)
def test_each_trouble_is_found_alone_and_has_an_advice(look, kind, text):
    findings = look(text).findings
    assert kind in {finding.kind for finding in findings}
    for finding in findings:
        assert finding.count > 0
        assert finding.advice.endswith((".", "?"))
        assert all("\n" not in example for example in finding.examples)


def test_personal_data_is_not_shown_whole(look):
    finding = found(look(CLEAN + "Write to ada.lovelace@example.org.\n"))["personal data"]
    assert finding.settings == {"redact": "email"}
    assert "ada" in finding.examples[0]
    assert "example" not in finding.examples[0]


def test_copies_of_documents_are_counted(look):
    paragraph = " ".join(f"word{i}" for i in range(80))
    near = paragraph.replace("word40", "other")
    text = f"{paragraph}\n\nsomething else\n\n{paragraph}\n\n{near}\n"
    finding = found(look(text, split_documents="blank-line"))["duplicates"]
    assert finding.settings == {"deduplicate": True}
    assert finding.what.startswith("Copies of earlier documents: 1 exact, 1 near")


def test_a_file_that_cannot_be_read_does_not_hide_the_others(look, tmp_path):
    (tmp_path / "b.txt").write_bytes("Grüße aus Köln\n".encode("cp1252"))
    inspection = look(CLEAN)
    finding = found(inspection)["unreadable files"]
    assert "b.txt" in finding.examples[0]
    assert "cp1252" in finding.examples[0]
    assert inspection.facts["characters"] == len(CLEAN)


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe\xfa"])
def test_nothing_to_inspect_is_one_sentence(look, content):
    with pytest.raises(CorpusError):
        look(content)


def test_one_character_is_inspected(look):
    assert look("a").document_lengths == (1, 1, 1, 1, 1)


def test_texts_in_other_languages_are_no_mojibake():
    for text in (
        "Ça va, âge, Ã",
        "naïve façade £5 °C",
        "Größe “so”",
        "Português: não, ações",
        "字、。",
    ):
        assert find_mojibake(text) == []


def test_scripts_are_those_of_letters():
    assert scripts({"字": 2, "か": 1, "Ω": 1, "1": 50})[0] == ("CJK", 0.5)
