"""`textgen export`."""

import json
import shutil

from textgen.card_parts import CopiesSummary
from textgen.catalog import DIGESTS_PATH, Catalog
from textgen.digests import record_digests


def test_a_model_that_passes_is_published(run, models, tmp_path):
    result = run("export", "fox", "--check", "--to", tmp_path, "--models-dir", models)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].endswith("fox/1")
    assert all(line.endswith(": ok") for line in lines[1:-1])
    assert lines[-1] == f"Published as {tmp_path / 'fox' / '1'}"
    assert (tmp_path / "fox" / "1" / "saved_model.pb").is_file()
    again = run("export", "fox", "--to", tmp_path, "--models-dir", models)
    assert again.stdout == f"Published as {tmp_path / 'fox' / '2'}\n"


def test_a_model_that_fails_is_not_published(run, models, tmp_path):
    path = tmp_path / "wolf" / "1"
    shutil.copytree(models / "fox" / "1", path)
    (path / "assets.extra" / "tf_serving_warmup_requests").unlink()
    result = run("export", path, "--check", "--to", tmp_path / "base")
    assert result.exit_code == 1
    assert "the warmup requests run, at least one per signature: " in result.stdout
    assert result.stderr == "2 failed.\n"  # the files, and the requests
    assert not (tmp_path / "base").exists()


def test_a_version_may_be_chosen(run, models, tmp_path):
    for version in ("3", "5"):
        shutil.copytree(models / "fox" / "1", tmp_path / "fox" / version)
        (tmp_path / "fox" / version / "which").write_text(version)
        record_digests(tmp_path / "fox" / version, tmp_path / "fox" / version / DIGESTS_PATH)
    arguments = ("--to", tmp_path / "base", "--models-dir", tmp_path)
    assert run("export", "fox", "--version", 3, *arguments).exit_code == 0
    assert run("export", "fox", *arguments).exit_code == 0
    published = [(tmp_path / "base" / "fox" / n / "which").read_text() for n in "12"]
    assert published == ["3", "5"]
    missing = run("export", "fox", "--version", 4, *arguments)
    assert missing.exit_code == 1
    assert "4" in missing.stderr


def test_without_anything_to_do_it_says_what_there_is(run, models):
    result = run("export", "fox", "--models-dir", models)
    assert result.exit_code == 2
    assert "--to" in result.stderr
    assert "--check" in result.stderr


def test_a_file_that_cannot_be_copied_is_told_in_a_sentence(run, models, tmp_path):
    path = tmp_path / "wolf" / "1"
    shutil.copytree(models / "fox" / "1", path)
    (path / "dangling").symlink_to(tmp_path / "nowhere")
    result = run("export", path, "--to", tmp_path / "base")
    assert result.exit_code == 1
    assert result.stderr == f"Error: {path / 'dangling'}: It is not a plain file.\n"


def test_a_model_in_fewer_bits_is_measured_and_published(run, models, corpus, tmp_path):
    shutil.copytree(models / "fox", tmp_path / "models" / "fox")
    arguments = ("--quantize", "int8", "--to", tmp_path / "base", "--models-dir")
    result = run("export", "fox", *arguments, tmp_path / "models", "--max-loss", 1)
    assert result.exit_code == 0, result.output
    path = tmp_path / "models" / "fox-int8" / "1"
    lines = result.stdout.splitlines()
    assert lines[0] == f"Written as {path}"
    assert lines[1].startswith("Measured on ")
    assert [line.split("  ")[1] for line in lines[2:5]] == [
        *("megabytes", "bits per character", "tokens per second")
    ]
    assert lines[5] == f"Published as {tmp_path / 'base' / 'fox-int8' / '1'}"
    assert (path / "saved_model.pb").is_file()
    info = run("info", "fox-int8", "--models-dir", tmp_path / "models").stdout
    assert ", stored as int8\n" in info
    assert "fox-int8, version 1" in info
    small, original = (Catalog(tmp_path / "models").find(n).card for n in ("fox-int8", "fox"))
    loss, before = small.storage.bits_per_character, small.storage.original_bits_per_character
    assert f"{before:.3f}" in lines[3]
    assert f"{loss:.3f}" in lines[3]
    assert f"\nQuality:       {loss:.3f} bits per character on {small.storage.text}, " in info
    assert f"\nOriginal:      validation loss {original.validation_loss:.3f} nats" in info
    (listed,) = (
        row
        for row in map(
            json.loads,
            run("list", "--json", "--models-dir", tmp_path / "models").stdout.splitlines(),
        )
        if row["name"] == "fox-int8"
    )
    assert listed["bits_per_character"] == loss
    again = run("export", "fox-int8", *arguments, tmp_path / "models", "--on", corpus)
    assert again.exit_code == 2
    assert "must have float32 weights" in again.stderr


def test_a_pruned_model_says_so_and_is_measured_anew(run, models, tmp_path, monkeypatch):
    shutil.copytree(models / "fox", tmp_path / "fox")
    # The figures of other weights would be no longer true.
    copies = CopiesSummary(
        num_characters=777,
        longest=7,
        fraction=0.5,
        held_out_characters=0,
        held_out_longest=0,
        held_out_fraction=0.0,
    )
    monkeypatch.setattr("textgen.inference.copying.measure_copies", lambda folder, run: copies)
    arguments = ("--max-loss", 9, "--models-dir", tmp_path)
    result = run("export", "fox", "--prune", 0.3, "--quantize", "float16", *arguments)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"Written as {tmp_path / 'fox-pruned-float16' / '1'}\n")
    info = run("info", "fox-pruned-float16", "--models-dir", tmp_path).stdout
    assert ", stored as float16, 30% of each matrix pruned\n" in info
    assert "50.0% of 777 generated characters, the longest 7\n" in info
    before, after = (Catalog(tmp_path).find(name).card for name in ("fox", "fox-pruned-float16"))
    assert before.copies not in (None, copies)
    assert after.created > before.created
    kept = {"model", "num_parameters", "tokenizer", "corpus", "training", "steps", "best_step"}
    assert all(before.to_dict()[name] == after.to_dict()[name] for name in kept)
    for fraction in ("1", "-0.1", "nan"):
        refused = run("export", "fox", "--prune", fraction, "--models-dir", tmp_path)
        assert refused.exit_code == 2
        assert "--prune must be at least 0 and less than 1. Received: " in refused.stderr


def test_a_text_to_measure_on_needs_something_to_measure(run, models):
    result = run("export", "fox", "--check", "--on", "x.txt", "--models-dir", models)
    assert result.exit_code == 2
    assert "--on needs --quantize or --prune." in result.stderr


def test_a_model_without_a_validation_part_needs_a_text_to_measure_on(run, faq_models):
    result = run("export", "faq", "--quantize", "int8", "--models-dir", faq_models)
    assert result.exit_code == 2
    assert result.stderr.endswith(
        "--on must name a file to measure the loss on, because faq has no validation part in its "
        "folder. Received: none\n"
    )
    assert not (faq_models / "faq-int8").exists()
