"""textgen's side of the training benchmarks: `Trainer.fit` on given tokens."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from settings import Setting, Tokens

from textgen.config import ModelConfig, TrainingConfig
from textgen.reporter import Reporter
from textgen.training.checkpoints import Checkpoints
from textgen.training.distribution import build_strategy
from textgen.training.history import History
from textgen.training.loop import Trainer
from textgen.training.result import TrainingResult
from textgen.windows import cut_windows


def fit(
    setting: Setting,
    tokens: Tokens,
    optimizer: str,
    max_steps: int,
    *,
    seed: int = 0,
    validate_every: int | None = None,
    reporter: Reporter | None = None,
    strategy: str = "none",
    jit_compile: bool | None = None,
    **model_settings: Any,
) -> TrainingResult:
    """Train with textgen's defaults; validate once, at the end, if nothing else is asked for."""
    *shape, batch_size = setting
    names = ("architecture", "num_layers", "num_heads", "hidden_dim", "context_length")
    settings = {"dropout": 0.0, **dict(zip(names, shape, strict=True)), **model_settings}
    model_config = ModelConfig(**settings)
    config = TrainingConfig(
        max_steps=max_steps,
        batch_size=batch_size,
        optimizer=optimizer,
        seed=seed,
        validate_every=validate_every or max_steps,
        strategy=strategy,
        jit_compile=jit_compile,
    )
    with tempfile.TemporaryDirectory() as folder:
        return Trainer(
            model_config,
            config,
            tokens.vocab_size,
            cut_windows(tokens.training, tokens.validation, config, model_config.context_length),
            Checkpoints(Path(folder) / "checkpoints"),
            History(Path(folder) / "history.jsonl"),
            build_strategy(config.strategy),
            reporter=reporter,
        ).fit()
