"""Paths to sources: which files, in which order, and what is skipped."""

import io
import logging
import sys
from types import SimpleNamespace

import pytest

from textgen.corpus import find_files
from textgen.errors import CorpusError


def names(sources, root):
    return [source.path.relative_to(root).as_posix() for source in sources]


@pytest.fixture
def tree(tmp_path):
    for name in ("b.txt", "a.txt", "sub/c.txt", "sub/deep/d.md", ".hidden", ".git/config"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("text\n")
    return tmp_path


def test_several_files_keep_their_order(tree):
    found = find_files([str(tree / "b.txt"), str(tree / "a.txt")])
    assert names(found, tree) == ["b.txt", "a.txt"]


def test_a_bare_path_is_one_path(tree):
    assert names(find_files(str(tree / "b.txt")), tree) == ["b.txt"]


def test_a_folder_is_searched_in_sorted_order_without_hidden_files(tree):
    assert names(find_files([str(tree)]), tree) == ["a.txt", "b.txt", "sub/c.txt", "sub/deep/d.md"]


def test_a_glob_is_sorted(tree):
    assert names(find_files([str(tree / "*.txt")]), tree) == ["a.txt", "b.txt"]


def test_two_stars_match_folders_of_any_depth(tree):
    found = find_files([str(tree / "**" / "*.txt")])
    assert names(found, tree) == ["a.txt", "b.txt", "sub/c.txt"]


def test_an_existing_file_is_not_treated_as_a_glob(tree):
    (tree / "[a].txt").write_text("x")
    assert names(find_files([str(tree / "[a].txt")]), tree) == ["[a].txt"]


def test_a_file_named_twice_is_read_once(tree):
    found = find_files([str(tree / "b.txt"), str(tree), str(tree / "sub" / ".." / "b.txt")])
    assert names(found, tree) == ["b.txt", "a.txt", "sub/c.txt", "sub/deep/d.md"]


def test_a_link_to_a_file_already_found_is_skipped(tree):
    (tree / "z.txt").symlink_to(tree / "a.txt")
    assert "z.txt" not in names(find_files([str(tree)]), tree)


def test_a_binary_file_in_a_folder_is_skipped_with_a_warning(tree, caplog):
    (tree / "photo").write_bytes(b"\x89PNG\0\0")
    with caplog.at_level(logging.WARNING):
        found = find_files([str(tree)])
    assert "photo" not in names(found, tree)
    assert "photo" in caplog.text


def test_many_binary_files_are_one_warning(tree, caplog):
    for number in range(79):
        (tree / f"{number:02}.pdf").write_bytes(b"%PDF-1.7\n")
    find_files([str(tree)])
    (message,) = caplog.messages
    assert message.startswith("Skipped binary files: 79 (")
    assert message.endswith("02.pdf and 76 more).")


def test_a_utf_16_file_in_a_folder_is_not_binary(tree):
    (tree / "wide.txt").write_text("text", encoding="utf-16")
    (tree / "unmarked.txt").write_text("text, text", encoding="utf-16-le")
    assert {"wide.txt", "unmarked.txt"} <= {*names(find_files([str(tree)]), tree)}


def test_nul_bytes_are_text_in_a_wide_encoding(tree):
    (tree / "wide.txt").write_text("text", encoding="utf-16-le")
    assert "wide.txt" in names(find_files([str(tree)], encoding="utf-16-le"), tree)


def test_minus_is_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"piped")))
    (source,) = find_files(["-", "-"])
    assert b"".join(source.read_chunks()) == b"piped"
    assert not sys.stdin.buffer.closed


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("missing.txt", r"No such file or folder: '.*missing\.txt'\."),
        ("*.none", r"No file matches '.*\*\.none'\."),
        ("empty", r"The folder '.*empty' contains no text file\."),
    ],
)
def test_nothing_found_is_an_error_that_names_the_path(tmp_path, path, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match=message):
        find_files([str(tmp_path / path)])


def test_an_empty_list_of_paths_is_an_error():
    with pytest.raises(CorpusError, match="at least one"):
        find_files([])


def test_the_folder_to_leave_out_is_skipped_everywhere(tree):
    models = tree / "sub" / "deep"
    wanted = ["a.txt", "b.txt", "sub/c.txt"]
    assert names(find_files([tree], leave_out=models), tree) == wanted
    several = [tree / "a.txt", tree / "b.txt", models, tree / "sub"]
    assert names(find_files(several, leave_out=models), tree) == wanted
    assert names(find_files([models / "d.md"], leave_out=models), tree) == ["sub/deep/d.md"]
    with pytest.raises(CorpusError, match="must not be the models folder"):
        find_files([models], leave_out=models)


def test_a_folder_to_leave_out_need_not_exist(tree):
    assert find_files([tree], leave_out=tree / "none") == find_files([tree])


@pytest.mark.parametrize("target", ["nowhere", "link"])
def test_a_broken_link_is_skipped_with_a_warning(tree, caplog, target):
    (tree / "link").symlink_to(target)
    assert "link" not in names(find_files([tree]), tree)
    assert "broken link" in caplog.text
