"""What tests of corpora share."""

import pytest


@pytest.fixture(scope="session")
def join():
    """Return the texts that blocks hold; the last one has no end."""

    def join(blocks):
        texts = [""]
        for first, *others in blocks:
            texts[-1] += first
            texts += others
        return texts

    return join


@pytest.fixture(scope="session")
def documents_of(join):
    """Return the documents that blocks hold; each must have ended, and hold something."""

    def documents_of(blocks):
        *documents, rest = join(blocks)
        assert rest == ""
        assert all(documents)
        return documents

    return documents_of
