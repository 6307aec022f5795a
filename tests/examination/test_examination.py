"""The seeded part of the examination: hostile and damaged models end in one sentence."""

import json
import os
import random
import shutil
import threading

import pytest

from tests.examination.hostile_files import HOSTILE_FILES
from tests.examination.mutations import mutate
from tests.waiting import PATIENCE
from textgen.catalog import Catalog
from textgen.errors import TextgenError
from textgen.inference import load

NUM_MUTATIONS = 4


@pytest.fixture
def copy(exported_models, tmp_path):
    return shutil.copytree(exported_models["lstm"].path, tmp_path / "models" / "mine" / "1")


def use(path):
    """Load a model, and use all of it; return the error that refuses it, if there is one."""
    try:
        with load(path) as model:
            model.generate("a", max_new_tokens=3, logprobs=1)
            model.search("a", max_new_tokens=3)
            model.score("abc")
    except TextgenError as error:
        refusal = error
    else:
        return None
    assert "\n" not in str(refusal)
    return refusal


@pytest.mark.parametrize("change", HOSTILE_FILES.values(), ids=HOSTILE_FILES)
def test_hostile_files_end_in_an_error_or_a_model(copy, change):
    change(copy)
    done = threading.Thread(target=use, args=[copy], daemon=True)
    done.start()
    done.join(PATIENCE)
    assert not done.is_alive(), "it hangs"
    use(copy)


@pytest.mark.parametrize("change", HOSTILE_FILES.values(), ids=HOSTILE_FILES)
def test_one_bad_model_does_not_hide_the_others(copy, change):
    others = shutil.copytree(copy, copy.parents[1] / "other" / "1")
    change(copy)
    for entry in Catalog(copy.parents[1]).entries():
        try:
            card = entry.card
        except TextgenError:
            card = None
        assert card or entry.path != others
        if card:
            f"{card.num_parameters:,} {card.bits_per_character:.3f} {card.steps:,}"
            json.dumps(card.to_dict(), ensure_ascii=False).encode()


@pytest.mark.parametrize("seed", range(NUM_MUTATIONS))
@pytest.mark.parametrize(
    "name",
    [
        "saved_model.pb",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
        "assets.extra/textgen.json",
        "assets.extra/tokenizer.json",
    ],
)
def test_any_damage_ends_in_an_error_or_a_model(copy, name, seed):
    content, damage = mutate((copy / name).read_bytes(), random.Random(f"{name} {seed}"))
    (copy / name).write_bytes(content)
    print(damage, use(copy))


def test_a_link_to_a_model_is_a_model(copy, tmp_path):
    (tmp_path / "link").symlink_to(copy)
    assert use(tmp_path / "link") is None


def test_a_models_folder_that_is_a_file_or_a_loop_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    os.symlink("loop", tmp_path / "loop")
    for name in ("file", "loop"):
        with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
            Catalog(tmp_path / name).entries()
    assert Catalog(tmp_path / "nothing").entries() == []
