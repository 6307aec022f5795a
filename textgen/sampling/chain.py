"""Apply all filters in order, then draw a token."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from textgen.config.controls import Stage
from textgen.sampling import dry, filters, mirostat, penalties  # noqa: F401  (they register)
from textgen.sampling.draw import draw
from textgen.sampling.filters import REMOVED, divisor_of, scale_temperature
from textgen.sampling.history import count_tokens, newest
from textgen.sampling.registry import FILTERS, Filter
from textgen.sampling.sampling_controls import ROWS, SamplingControls


class Chain:
    """Chooses tokens, each row of a batch by its own controls.

    The stages run in the order of `Stage`, which is that of Hugging Face's `generate`:
    penalties, bias, temperature, truncation, draw. Inside a stage, filters run in the order of
    the table (`SamplingConfig`). A row with a mirostat_tau is truncated by Mirostat alone.

    For the same logits a row's tokens are the same alone and in any batch. A chain is built
    before the decode loop, so that what depends only on the controls is computed once: the
    clamped values, and which filters any row asks for. Filters that no row asks for cost
    nothing. If no row asks for more than a temperature, a token costs a dozen operations.

    Args:
        controls: One value per row; values outside their range are clamped.
        bias: float32[B, V], or [B, 1] if it is the same for all tokens. Added to the logits;
            -inf bans a token.
        breakers: bool[V], the tokens that end a sequence for DRY.

    Attributes:
        uses_history: bool[], whether any row asks for a filter that reads the history.
        is_plain: bool[], whether no row asks for more than bias and temperature.
        initial_mu: float32[B], Mirostat's mu for the first token.
    """

    def __init__(self, controls: SamplingControls, bias: tf.Tensor, breakers: tf.Tensor) -> None:
        controls = controls.clamped()
        is_random = controls.temperature > 0
        self._uses_mirostat = controls.mirostat_tau > 0
        values = controls._asdict()
        for control in ROWS:
            if control.stage is Stage.TRUNCATION and control.off is not None:
                off = tf.cast(control.off, values[control.name].dtype)
                values[control.name] = tf.where(self._uses_mirostat, off, values[control.name])
        # The most likely token would be the first to go, and greedy rows ask for it.
        values["xtc_probability"] = tf.where(is_random, values["xtc_probability"], 0.0)
        self._values: dict[str, Any] = values
        self._used = {
            control.name: tf.reduce_any(tf.not_equal(values[control.name], control.off))
            for control in ROWS
            if control.name in FILTERS
        }
        self.uses_history = self._any_of(Stage.PENALTY)
        self._truncates = self._any_of(Stage.TRUNCATION, Stage.MIROSTAT)
        self.is_plain = ~(self.uses_history | self._truncates)
        self.initial_mu = mirostat.initial_mu(controls.mirostat_tau)
        self._divisor = divisor_of(controls.temperature)
        # A number of 0 draws the first of the tokens that a temperature of 0 has left.
        self._chance = tf.cast(is_random, tf.float32)
        self._bias = bias
        self._breakers = breakers

    def sample(
        self,
        logits: tf.Tensor,
        number: tf.Tensor,
        xtc_number: tf.Tensor,
        history: tf.Tensor,
        mu: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Choose one token per row.

        Args:
            logits: float32[B, V].
            number: float32[B] in [0, 1), the row's random number for this token.
            xtc_number: float32[B] in [0, 1), another one, for XTC.
            history: int32[B, R], the newest tokens of prompt and text, the last one on
                the right; -1 if there are fewer. R may be 0 unless `uses_history`.
            mu: float32[B], Mirostat's mu from the previous token.

        Returns:
            int32[B], the tokens, and Mirostat's mu for the next token. A temperature of 0
            takes the most likely token, the one with the lowest id of several. A row whose
            logits hold NaN, or have nothing finite left, gets -1.
        """
        number = self.numbers(number)
        return tf.cond(
            self.is_plain,
            lambda: (self.sample_plainly(logits, number), mu),
            lambda: self._full(logits, number, xtc_number, history, mu),
        )

    def numbers(self, numbers: tf.Tensor) -> tf.Tensor:
        """Return the numbers to draw with, 0 in greedy rows, from random ones: float32[..., B]."""
        return numbers * self._chance

    def sample_plainly(self, logits: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        """Choose one token per row by bias and temperature alone: `sample` if `is_plain`.

        Args:
            logits: float32[B, V].
            number: float32[B], from `numbers`: the row's for this token.

        Returns:
            int32[B], as `sample` does.
        """
        return draw(tf.exp(self._scaled(logits)), number)

    def _scaled(self, logits):
        return scale_temperature(logits + self._bias, self._divisor)

    def _full(self, logits, number, xtc_number, history, mu):
        """Run all filters; to rows that ask for none of them it does what `sample` does."""
        penalized = tf.cond(
            self.uses_history, lambda: self._penalized(logits, history), lambda: logits
        )
        scaled = self._scaled(penalized)
        # NaN has no order, and filters sort.
        is_broken = tf.math.is_nan(tf.reduce_sum(scaled, axis=1, keepdims=True))
        scaled = tf.where(is_broken, REMOVED, scaled)
        kept = tf.cond(
            self._truncates, lambda: self._truncated(scaled, xtc_number, mu), lambda: scaled
        )
        # Typical sampling and XTC may have removed the most likely token.
        tokens = draw(tf.exp(kept - tf.reduce_max(kept, axis=1, keepdims=True)), number)

        def next_mu():
            surprise = mirostat.surprise_of(kept, tokens)
            tau, eta = self._values["mirostat_tau"], self._values["mirostat_eta"]
            return mirostat.update(mu, tau, eta, surprise)

        return tokens, tf.cond(self._used["mirostat_tau"], next_mu, lambda: mu)

    def _penalized(self, logits, history):
        history = newest(history, self._values["repeat_last_n"])
        uses_counts = [used for name, used in self._used.items() if FILTERS[name].takes("counts")]
        counts = tf.cond(
            tf.reduce_any(tf.stack(uses_counts)),
            lambda: count_tokens(history, tf.shape(logits)[1]),
            lambda: tf.zeros_like(logits),
        )
        provided = {"history": history, "counts": counts, "breakers": self._breakers}
        return self._apply(logits, provided, Stage.PENALTY)

    def _truncated(self, logits, xtc_number, mu):
        mu = tf.where(self._uses_mirostat, mu, float("inf"))
        provided = {"xtc_number": xtc_number, "mu": mu}
        return self._apply(logits, provided, Stage.TRUNCATION, Stage.MIROSTAT)

    def _apply(self, logits, provided, *stages):
        """Run the filters of some stages that any row asks for."""
        for name in _filters_of(*stages):
            values = {**self._values, **provided}
            logits = _apply_if(self._used[name], FILTERS[name], logits, values)
        return logits

    def _any_of(self, *stages):
        """Whether any row asks for a filter of some stages, bool[]."""
        return tf.reduce_any(tf.stack([self._used[name] for name in _filters_of(*stages)]))


def _filters_of(*stages: Stage) -> list[str]:
    """The controls of some stages that turn on a filter, in the order of the table."""
    return [row.name for row in ROWS if row.stage in stages and row.name in FILTERS]


def _apply_if(
    used: tf.Tensor, function: Filter, logits: tf.Tensor, values: dict[str, Any]
) -> tf.Tensor:
    return tf.cond(used, lambda: function(logits, values), lambda: logits)
