"""The PyTorch side of the training benchmarks: GPT-2 of transformers, and torch.nn.LSTM.

Imported only where PyTorch is installed; it knows nothing of textgen. On a GPU it computes in
bfloat16 wherever PyTorch's autocast does, and in TensorFloat-32 elsewhere, as nanoGPT does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from settings import Setting
from workers import num_cores

# The recipe of nanoGPT's CPU setting: https://github.com/karpathy/nanoGPT, config and README.
LEARNING_RATE, FINAL_LEARNING_RATE, WARMUP_STEPS = 1e-3, 1e-4, 100
BETAS, WEIGHT_DECAY, CLIP_NORM = (0.9, 0.99), 0.1, 1.0


class LSTM(torch.nn.Module):
    """Embedding, torch.nn.LSTM, Linear."""

    def __init__(self, setting: Setting, vocab_size: int, dropout: float) -> None:
        super().__init__()
        width = setting.hidden_dim
        self.embedding = torch.nn.Embedding(vocab_size, width)
        self.lstm = torch.nn.LSTM(
            width, width, setting.num_layers, batch_first=True, dropout=dropout
        )
        self.output = torch.nn.Linear(width, vocab_size)

    def forward(self, token_ids):
        """Return the logits of every next token."""
        return self.output(self.lstm(self.embedding(token_ids))[0])


class GPT2(torch.nn.Module):
    """GPT-2, output tied to the embedding."""

    def __init__(self, setting: Setting, vocab_size: int, dropout: float) -> None:
        from transformers import GPT2Config, GPT2LMHeadModel

        super().__init__()
        self.model = GPT2LMHeadModel(
            GPT2Config(
                vocab_size=vocab_size,
                n_positions=setting.context_length,
                n_embd=setting.hidden_dim,
                n_layer=setting.num_layers,
                n_head=setting.num_heads,
                resid_pdrop=dropout,
                embd_pdrop=dropout,
                attn_pdrop=dropout,
                tie_word_embeddings=True,
                use_cache=False,
                bos_token_id=None,
                eos_token_id=None,
            )
        )

    def forward(self, token_ids):
        """Return the logits of every next token."""
        return self.model(token_ids).logits


class Torch:
    """A model that learns by AdamW in PyTorch, on all cores or a GPU.

    Args:
        setting: its shape and batch.
        tokens: to train on.
        vocab_size: how many different ones there are.
        num_steps: of the cosine schedule; `None` keeps the peak rate.
        compile: Whether `torch.compile` translates the model.
        device: `cpu` or `cuda`.
        dropout: between layers.
    """

    def __init__(
        self,
        setting: Setting,
        tokens: np.ndarray,
        vocab_size: int,
        num_steps: int | None = None,
        *,
        compile: bool = False,
        device: str = "cpu",
        dropout: float = 0.0,
    ) -> None:
        torch.set_num_threads(num_cores())
        torch.manual_seed(0)
        self.setting, self.tokens, self.num_steps = setting, tokens, num_steps
        model = LSTM if setting.architecture == "lstm" else GPT2
        self.device = device
        torch.set_float32_matmul_precision("high" if device == "cuda" else "highest")
        self.model = model(setting, vocab_size, dropout).train().to(device)
        if compile:
            self.model.compile()
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(),
            lr=LEARNING_RATE,
            betas=BETAS,
            weight_decay=WEIGHT_DECAY,
            fused=device == "cuda",
        )

    def steps(self) -> Iterator[int]:
        """Train; yield the number of steps done after each."""
        generator = np.random.default_rng(0)
        offsets = np.arange(self.setting.context_length + 1)
        last = len(self.tokens) - self.setting.context_length
        done = 0
        while True:
            starts = generator.integers(last, size=(self.setting.batch_size, 1))
            loss = self._loss(torch.from_numpy(self.tokens[starts + offsets]), "mean")
            for group in self.optimizer.param_groups:
                group["lr"] = self._learning_rate(done)
            self.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), CLIP_NORM)
            self.optimizer.step()
            done += 1
            # nanoGPT reads every tenth loss; to read it waits for the GPU.
            if self.device == "cpu" or done % 10 == 0:
                loss.item()
            yield done

    @torch.no_grad()
    def validation_loss(self, tokens: np.ndarray) -> float:
        """Return the mean loss over windows side by side, nats a token."""
        length = self.setting.context_length
        starts = np.arange(0, len(tokens) - 1 - length, length)
        windows = torch.from_numpy(tokens[starts[:, None] + np.arange(length + 1)])
        total = sum(self._loss(part, "sum").item() for part in windows.split(64))
        return total / (len(starts) * length)

    def _loss(self, windows, reduction: str):
        if self.device == "cuda":
            windows = windows.pin_memory()
        windows = windows.to(self.device, non_blocking=True)
        with torch.autocast(self.device, torch.bfloat16, enabled=self.device == "cuda"):
            logits = self.model(windows[:, :-1])
            return torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), windows[:, 1:].flatten(), reduction=reduction
            )

    def _learning_rate(self, step: int) -> float:
        if self.num_steps is None:
            return LEARNING_RATE
        if step < WARMUP_STEPS:
            return LEARNING_RATE * (step + 1) / (WARMUP_STEPS + 1)
        share = (step - WARMUP_STEPS) / max(1, self.num_steps - WARMUP_STEPS)
        half = (LEARNING_RATE - FINAL_LEARNING_RATE) / 2
        return FINAL_LEARNING_RATE + half * (1 + math.cos(math.pi * min(share, 1.0)))
