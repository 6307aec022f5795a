"""Add an index of its corpus to an exported model, so that `novel` works on any server."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

from textgen.card import current_versions, now
from textgen.card_parts import CopyTable
from textgen.catalog import ADAPTER_PATH, Catalog
from textgen.errors import CorpusError
from textgen.inference.own_run import own_run
from textgen.inheritance import find_parent
from textgen.originality import RunIndex
from textgen.run import exported_step, exported_version, record_export
from textgen.runtime.banner import hidden_banner

# The table, twice to three times as long, is a constant of the graph, which must stay below 2 GB.
_MAX_BYTES = 1 << 26


def add_index(
    name_or_path: str | os.PathLike[str] | None = None,
    models_dir: str | os.PathLike[str] | None = None,
) -> Path:
    """Write a model's next version, with an index of its corpus in the graph.

    The index holds every passage of 20 bytes. With it, the control `novel` is an input of the
    model, and works wherever the SavedModel runs, TensorFlow Serving included.

    Args:
        name_or_path: Model name or folder. Defaults to the newest model.
        models_dir: The models folder. Defaults to TEXTGEN_MODELS or ./saved_models.

    Returns:
        The new version's folder. Its card says how large the index is.

    Raises:
        CorpusError: If the corpus is larger than 64 MiB, or the training run that produced the
            model is gone.
        ModelDamagedError: If the weights cannot be read.
        ModelNotFoundError: If there is no such model.
        OSError: If the version cannot be written.

    Example:
        >>> textgen.add_index("shakespeare")
        PosixPath('saved_models/shakespeare/2')
    """
    catalog = Catalog(models_dir)
    entry = catalog.find(name_or_path)
    parent, _ = find_parent(catalog, os.fspath(entry.path))
    run = own_run(entry)
    if run is None or run.tokenizer.to_dict() != parent.tokenizer.to_dict():
        raise CorpusError(
            f"{entry.name}: the training run of this model is gone, so there is no text to index"
        )
    text = RunIndex(run).text()
    if len(text) > _MAX_BYTES:
        raise CorpusError(
            f"A corpus must have at most {_MAX_BYTES:,} bytes to be indexed in a model. "
            f"Received: {len(text):,}"
        )
    with hidden_banner():
        from textgen.export import write_saved_model
    from textgen.generation import DraftTable, Generator
    from textgen.gram_table import false_positive_rate, make_table
    from textgen.serving.tf_serving import write_configuration

    table = make_table(text)
    decoder_class = parent.config.profile.model_class().decoder_class
    decoder = decoder_class(parent.config, parent.tokenizer.vocab_size, parent.weights())
    generator = Generator(
        decoder,
        run.tokenizer,
        run.has_documents,
        run.seen_tokens(),
        copy_table=table,
        drafts=DraftTable.for_decoder(
            decoder, entry.card.num_parameters, run.store.train, run.store.validation
        ),
    )
    known = CopyTable(num_bytes=table.size, false_positive_rate=false_positive_rate(table))
    storage = entry.card.storage
    if storage is not None:  # The weights are float32 again, but not those that were trained.
        storage = dataclasses.replace(storage, precision="float32")
    card = dataclasses.replace(
        entry.card,
        name=entry.name,
        storage=storage,
        copy_table=known,
        created=now(),
        versions=current_versions(),
    )

    def write(folder: Path) -> None:
        write_saved_model(folder, generator, run.tokenizer, card, run.chat_template)
        if (entry.path / ADAPTER_PATH).exists():
            shutil.copyfile(entry.path / ADAPTER_PATH, folder / ADAPTER_PATH)

    path = catalog.add_version(entry.name, write)
    step = exported_step(run.folder)
    if step is not None and exported_version(run.folder) == entry.path.name:
        # The weights are the same, so the run's curves are this version's, too.
        record_export(run.folder, step, path.name)
    write_configuration(path.parent, entry.name)
    return path
