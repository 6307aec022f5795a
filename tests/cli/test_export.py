"""`textgen export`."""

import shutil

from textgen.catalog import DIGESTS_PATH
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
