"""The models that are served, kept up to date with the models folder."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from textgen.catalog import Catalog, ModelEntry
from textgen.errors import ModelDamagedError, ModelNotFoundError, TextgenError
from textgen.serving.http.engine import Observer
from textgen.serving.http.errors import ApiError
from textgen.serving.http.limits import Limits
from textgen.serving.http.served import ServedModel

logger = logging.getLogger(__name__)


class Shelf:
    """Loads models and replaces them when a newer version appears.

    Args:
        catalog: The models folder.
        names: Names or paths of models; empty serves all of the folder. A name with a version,
            such as `shakespeare/1`, stays at that version.
        limits: For each model's engine.
        observer: Receives reports of the engines.

    Raises:
        ModelNotFoundError: If there is no such model, or none at all.
        ModelDamagedError: If a named model cannot be loaded.
    """

    def __init__(
        self,
        catalog: Catalog,
        names: Sequence[str],
        limits: Limits,
        observer: Observer | None = None,
    ) -> None:
        self._catalog = catalog
        self._names = list(names)
        self._limits = limits
        self._observer = observer
        self._lock = threading.Lock()
        self._models: dict[str, ServedModel] = {}
        self._users: dict[ServedModel, int] = {}
        self._retired: set[ServedModel] = set()
        # Versions that cannot be loaded, so that each is reported once.
        self._damaged: set[ModelEntry] = set()
        for model_id, entry in self._wanted().items():
            try:
                self._models[model_id] = self._load(entry)
            except TextgenError as error:
                if self._names:
                    raise
                self._report(model_id, entry, error)
        if not self._models:
            catalog.find()  # raises the error if the folder is empty
            raise ModelDamagedError(f"No model in {catalog.folder} can be loaded")

    @property
    def models(self) -> dict[str, ServedModel]:
        """The models by id, in the order of the command line, else the newest first."""
        return dict(self._models)

    @contextmanager
    def use(self, model_id: str | None) -> Iterator[tuple[str, ServedModel]]:
        """Yield a model that stays loaded during the block.

        Args:
            model_id: The model's id; `None` is the first model.

        Raises:
            ApiError: If there is no such model.
        """
        with self._lock:
            if model_id is None:
                model_id = next(iter(self._models))
            model = self._models.get(model_id)
            if model is None:
                message = f"There is no model {model_id!r}; /v1/models lists those that are served"
                raise ApiError(404, message, param="model", code="model_not_found")
            self._users[model] = self._users.get(model, 0) + 1
        try:
            yield model_id, model
        finally:
            self._release(model)

    def refresh(self) -> None:
        """Load new versions from the models folder.

        The old version answers until the new one is loaded and warm, and completes what it has
        begun. A version that cannot be loaded is reported, and the old one continues.
        """
        try:
            wanted = self._wanted()
        except (ModelNotFoundError, OSError):
            return  # a folder that is gone for a moment takes no model away
        for model_id, entry in wanted.items():
            current = self._models.get(model_id)
            if (current is not None and current.entry == entry) or entry in self._damaged:
                continue
            try:
                new = self._load(entry)
            except Exception as error:
                self._report(model_id, entry, error)
                continue
            with self._lock:
                self._models[model_id] = new
                if current is not None:
                    self._retired.add(current)
            logger.info("%s: version %s is served", model_id, entry.version)
            if current is not None:
                self._close_if_unused(current)

    def close(self) -> None:
        """Stop all engines and free the models."""
        for model in {*self._models.values(), *self._retired}:
            model.close()

    def _load(self, entry: ModelEntry) -> ServedModel:
        return ServedModel(entry, self._limits, self._observer)

    def _wanted(self) -> dict[str, ModelEntry]:
        if not self._names:
            return {entry.name: entry for entry in self._catalog.entries()}
        wanted = {}
        for name in self._names:
            entry = self._catalog.find(name)
            is_pinned = name.rstrip("/").rpartition("/")[2] == str(entry.version)
            wanted[f"{entry.name}/{entry.version}" if is_pinned else entry.name] = entry
        return wanted

    def _report(self, model_id: str, entry: ModelEntry, error: Exception) -> None:
        self._damaged.add(entry)
        reason = str(error) if isinstance(error, ModelDamagedError) else type(error).__name__
        reason = reason.replace(str(entry.path), f"{model_id}/{entry.version}")
        logger.error("%s: version %s cannot be served: %s", model_id, entry.version, reason)

    def _release(self, model: ServedModel) -> None:
        with self._lock:
            self._users[model] -= 1
        self._close_if_unused(model)

    def _close_if_unused(self, model: ServedModel) -> None:
        with self._lock:
            if self._users.get(model) or model not in self._retired:
                return
            self._retired.discard(model)
            self._users.pop(model, None)
        # Its engine has no rows left, so this waits for one block at most.
        threading.Thread(target=model.close, daemon=True).start()
