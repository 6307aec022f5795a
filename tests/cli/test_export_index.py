"""A model that knows its corpus: no copies without the training run, and on a server."""

import dataclasses
import json
import re
import shutil

import pytest

import textgen
from textgen.card_parts import StorageSummary
from textgen.catalog import CARD_PATH, DIGESTS_PATH
from textgen.digests import record_digests
from textgen.run import ModelRuns, exported_step, exported_version
from textgen.serving.http.batch import Batch

COPY = "The quick brown fox jumps over the lazy dog."
# The model would write an "l" next, which completes a copy.
ASKED = (COPY.removesuffix("lazy dog."), "-n", 1, "--logit-bias", "l=99", "--no-echo")


@pytest.fixture(scope="module")
def indexed(run, models, tmp_path_factory):
    """A models folder whose second version has the index, and no training run; the output."""
    folder = tmp_path_factory.mktemp("indexed") / "models"
    shutil.copytree(models, folder)
    entry = textgen.Catalog(folder).find("fox")
    narrow = dataclasses.replace(entry.card, storage=StorageSummary(precision="float16"))
    (entry.path / CARD_PATH).write_text(json.dumps(narrow.to_dict()), "utf-8")
    record_digests(entry.path, entry.path / DIGESTS_PATH)
    result = run("export", "fox", "--with-index", "--models-dir", folder)
    assert result.exit_code == 0, result.output
    newest = ModelRuns(folder / "fox").newest
    assert (exported_step(newest), exported_version(newest)) == (6, "2")
    shutil.rmtree(folder / "fox" / "train")
    return folder, result.stdout


def test_it_is_the_next_version_and_says_what_it_costs(run, indexed):
    folder, output = indexed
    assert f"Written as {folder / 'fox' / '2'}" in output
    assert re.search(r"Its index has [\d,]+ kB, and mistakes \d+\.\d% of other passages", output)
    before, after = (textgen.Catalog(folder).find(name).card for name in ("fox/1", "fox"))
    assert before.storage is not None
    assert after.storage.precision == "float32"
    assert after.copies == before.copies
    assert after.created > before.created
    table = after.copy_table
    assert table.num_bytes > 0
    assert 0 < table.false_positive_rate < 0.03


def test_it_copies_nothing_without_its_training_run(run, indexed):
    folder, _ = indexed
    free = run("generate", *ASKED, "-m", "fox", "--models-dir", folder)
    assert free.stdout == "l\n"
    kept = run("generate", *ASKED, "-m", "fox", "--novel", 20, "--models-dir", folder)
    assert kept.exit_code == 0, kept.output
    assert kept.stdout not in ("l\n", "\n")
    too_short = run("generate", *ASKED, "-m", "fox", "--novel", 19, "--models-dir", folder)
    assert too_short.exit_code == 1
    assert "needs no run, from 20 characters on" in too_short.stderr


def test_it_writes_as_before_otherwise(models, indexed):
    folder, _ = indexed
    with textgen.load("fox/1", folder) as before, textgen.load("fox", folder) as after:
        asked = {"max_new_tokens": 40, "seed": 3}
        assert before.generate("The", **asked).text == after.generate("The", **asked).text


def test_rows_of_a_server_share_a_batch(indexed):
    from textgen.serving.http.completion_request import parse_completion
    from textgen.serving.http.limits import Limits
    from textgen.serving.http.served import ServedModel

    folder, _ = indexed
    limits = Limits()
    served = ServedModel(textgen.Catalog(folder).find("fox"), limits)
    try:
        prompt = COPY[:30]
        batch = Batch(served.saved_model)
        for novel in (None, 20):
            fields = {"prompt": prompt, "max_tokens": 12, "temperature": 0, "novel": novel}
            request = parse_completion({k: v for k, v in fields.items() if v is not None}, limits)
            batch.add(served.prompts(request, [prompt.encode()], [0]))
        rows = [row.decode("utf-8", "replace") for row in batch.decode(12)["text_bytes"]]
    finally:
        served.close()
    free, kept = (prompt + row for row in rows)
    with textgen.load("fox", folder) as model:
        for text, novel in ((free, None), (kept, 20)):
            alone = model.generate(prompt, max_new_tokens=12, temperature=0, novel=novel)
            assert prompt + alone.text == text
    ends = range(len(prompt) + 1, len(kept) + 1)
    assert not [end for end in ends if kept[end - 20 : end] in (COPY + " 明月光。\x1b[m\n") * 2]
