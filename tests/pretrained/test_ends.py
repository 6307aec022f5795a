"""Which tokens end a text: all that a published model's files name."""

import json

import pytest

from tests.pretrained.checkpoints import IDS, write_gguf, write_hugging_face
from textgen.errors import PublishedModelError
from textgen.pretrained import open_published, writable_tokens

END, TURN = IDS["<|endoftext|>"], IDS["<|im_end|>"]


@pytest.mark.parametrize(
    ("named", "ids", "wanted"),
    [
        ("<|endoftext|>", [END, TURN], (END, TURN)),
        ("<|im_end|>", [END, TURN], (TURN, END)),
        ("<|im_end|>", TURN, (TURN,)),
        (None, [TURN, END], (TURN, END)),
        (None, END, (END,)),
    ],
)
def test_a_folder_may_name_several(tmp_path, named, ids, wanted):
    folder = write_hugging_face(tmp_path / "model")
    about = {} if named is None else {"eos_token": named}
    (folder / "tokenizer_config.json").write_text(json.dumps(about))
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": ids}))
    with open_published(folder) as model:
        assert model.tokenizer.eos_ids == wanted
        assert model.tokenizer.special.eos == wanted[0]
        is_writable = writable_tokens(model.tokenizer)
    assert is_writable[[*wanted]].all()


@pytest.mark.parametrize("ids", [[len(IDS)], [-1], [None, True, "1"]])
def test_an_id_that_is_no_token_is_refused(tmp_path, ids):
    folder = write_hugging_face(tmp_path / "model")
    (folder / "tokenizer_config.json").write_text("{}")
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": ids}))
    message = r"eos token must be|which token ends"
    with pytest.raises(PublishedModelError, match=message), open_published(folder):
        pass


def test_a_gguf_file_may_name_the_end_of_a_turn(tmp_path):
    pytest.importorskip("gguf")
    path = write_gguf(tmp_path / "model.gguf", eos="<|endoftext|>", eot_token_id=TURN)
    with open_published(path) as model:
        assert model.tokenizer.eos_ids == (END, TURN)
