"""All filters in their one order, then the draw."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from textgen.sampling import mirostat
from textgen.sampling.controls import SamplingControls
from textgen.sampling.draw import draw
from textgen.sampling.dry import penalize_dry
from textgen.sampling.filters import (
    REMOVED,
    exclude_top_choices,
    keep_min_p,
    keep_top_k,
    keep_top_p,
    keep_typical_p,
    scale_temperature,
)
from textgen.sampling.history import count_tokens, newest
from textgen.sampling.penalties import (
    ban_repeated_ngrams,
    penalize_frequency,
    penalize_presence,
    penalize_repetition,
)


class Chain:
    """Chooses tokens, each row of a batch by controls of its own.

    The order is that of Hugging Face's `generate`, what it lacks being put where it
    belongs: repetition, presence and frequency penalty, DRY, no_repeat_ngram_size,
    bias, temperature, top_k, top_p, min_p, typical_p, XTC, draw. Rows with a
    mirostat_tau keep all up to the temperature; mirostat then stands for top_k to XTC.

    For the same logits a row's tokens are the same alone and in any batch. A chain is built
    before the decode loop, so that what depends on the controls alone is computed once:
    which values are legal, and which filters any row asks for. Filters no row asks for cost
    nothing, and where none is asked for but the temperature, a token costs a dozen ops.

    Args:
        controls: one value a row; those outside their range are made legal.
        bias: float32[B, V], or [B, 1] where it is the same for all tokens: added to the
            logits, -inf bans a token.
        breakers: bool[V], tokens that end a sequence for DRY.

    Attributes:
        uses_history: bool, whether any row asks for a filter that reads the history.
        is_plain: bool, whether no row asks for more than bias and temperature.
        initial_mu: float32[B], mirostat's mu for the first token.
    """

    def __init__(self, controls: SamplingControls, bias: tf.Tensor, breakers: tf.Tensor) -> None:
        controls = controls.legal()
        is_random = controls.temperature > 0
        unsteered = tf.equal(controls.mirostat_tau, 0)
        controls = controls._replace(
            top_k=tf.where(unsteered, controls.top_k, 0),
            top_p=tf.where(unsteered, controls.top_p, 1.0),
            min_p=tf.where(unsteered, controls.min_p, 0.0),
            typical_p=tf.where(unsteered, controls.typical_p, 1.0),
            # The likeliest token would be the first to go, and greedy rows ask for it.
            xtc_probability=tf.where(unsteered & is_random, controls.xtc_probability, 0.0),
        )
        by_count = (
            tf.not_equal(controls.repetition_penalty, 1)
            | tf.not_equal(controls.presence_penalty, 0)
            | tf.not_equal(controls.frequency_penalty, 0)
        )
        penalties = {
            "by_count": tf.reduce_any(by_count),
            "dry": tf.reduce_any(controls.dry_multiplier > 0),
            "ngrams": tf.reduce_any(controls.no_repeat_ngram_size > 0),
        }
        truncations = {
            "top_k": tf.reduce_any(controls.top_k > 0),
            "top_p": tf.reduce_any(controls.top_p < 1),
            "min_p": tf.reduce_any(controls.min_p > 0),
            "typical_p": tf.reduce_any(controls.typical_p < 1),
            "xtc": tf.reduce_any(controls.xtc_probability > 0),
            "mirostat": tf.reduce_any(~unsteered),
        }
        self.uses_history = tf.reduce_any(tf.stack([*penalties.values()]))
        truncates = tf.reduce_any(tf.stack([*truncations.values()]))
        self.is_plain = ~(self.uses_history | truncates)
        self._used = {
            "penalties": self.uses_history,
            "truncations": truncates,
            **penalties,
            **truncations,
        }
        self._controls = controls
        self.initial_mu = mirostat.initial_mu(controls.mirostat_tau)
        self._temperature = controls.temperature
        # A number of 0 draws the first token of those a temperature of 0 has left.
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
        """Choose a token a row.

        Args:
            logits: float32[B, V].
            number: float32[B] in [0, 1), the row's random number for this token.
            xtc_number: float32[B] in [0, 1), another one, for XTC.
            history: int32[B, R], the newest tokens of prompt and text, the last one on
                the right; -1 where there is none. R may be 0 unless `uses_history`.
            mu: float32[B], mirostat's, from the token before.

        Returns:
            int32[B], and mirostat's mu for the next token. A temperature of 0 takes the
            likeliest token, the one with the lowest id of several. A row whose logits
            hold NaN, or of which nothing finite is left, gets -1.
        """
        return tf.cond(
            self.is_plain,
            lambda: (self.sample_plainly(logits, number), mu),
            lambda: self._full(logits, number * self._chance, xtc_number, history, mu),
        )

    def sample_plainly(self, logits: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        """Choose a token a row by bias and temperature alone: `sample` where `is_plain`.

        Args:
            logits: float32[B, V].
            number: float32[B] in [0, 1), the row's random number for this token.

        Returns:
            int32[B], as `sample` gives it.
        """
        return draw(tf.exp(self._scaled(logits)), number * self._chance)

    def _scaled(self, logits):
        return scale_temperature(logits + self._bias, self._temperature)

    def _full(self, logits, number, xtc_number, history, mu):
        """Run all filters; to rows that ask for none of them it does what `sample` does."""
        used = self._used
        penalized = tf.cond(
            used["penalties"],
            lambda: self._penalized(logits, history),
            lambda: logits,
        )
        scaled = self._scaled(penalized)
        # Sorting asks for an order, which NaN has not.
        is_broken = tf.math.is_nan(tf.reduce_sum(scaled, axis=1, keepdims=True))
        scaled = tf.where(is_broken, REMOVED, scaled)
        kept = tf.cond(
            used["truncations"],
            lambda: self._truncated(scaled, xtc_number, mu),
            lambda: scaled,
        )
        # Typical sampling and XTC may have removed the likeliest.
        tokens = draw(tf.exp(kept - tf.reduce_max(kept, axis=1, keepdims=True)), number)

        def next_mu():
            controls = self._controls
            surprise = mirostat.surprise_of(kept, tokens)
            return mirostat.update(mu, controls.mirostat_tau, controls.mirostat_eta, surprise)

        return tokens, tf.cond(used["mirostat"], next_mu, lambda: mu)

    def _penalized(self, logits, history):
        used, controls = self._used, self._controls
        history = newest(history, controls.repeat_last_n)

        def by_count(x):
            counts = count_tokens(history, tf.shape(x)[1])
            x = penalize_repetition(x, counts, controls.repetition_penalty)
            x = penalize_presence(x, counts, controls.presence_penalty)
            return penalize_frequency(x, counts, controls.frequency_penalty)

        def dry(x):
            return penalize_dry(
                x,
                history,
                controls.dry_multiplier,
                controls.dry_base,
                controls.dry_allowed_length,
                self._breakers,
            )

        def ngrams(x):
            return ban_repeated_ngrams(x, history, controls.no_repeat_ngram_size)

        logits = _apply_if(used["by_count"], by_count, logits)
        logits = _apply_if(used["dry"], dry, logits)
        return _apply_if(used["ngrams"], ngrams, logits)

    def _truncated(self, logits, xtc_number, mu):
        used, controls = self._used, self._controls

        def xtc(x):
            probability, threshold = controls.xtc_probability, controls.xtc_threshold
            return exclude_top_choices(x, probability, threshold, xtc_number)

        def by_surprise(x):
            return mirostat.truncate(x, tf.where(controls.mirostat_tau > 0, mu, float("inf")))

        logits = _apply_if(used["top_k"], lambda x: keep_top_k(x, controls.top_k), logits)
        logits = _apply_if(used["top_p"], lambda x: keep_top_p(x, controls.top_p), logits)
        logits = _apply_if(used["min_p"], lambda x: keep_min_p(x, controls.min_p), logits)
        logits = _apply_if(
            used["typical_p"], lambda x: keep_typical_p(x, controls.typical_p), logits
        )
        logits = _apply_if(used["xtc"], xtc, logits)
        return _apply_if(used["mirostat"], by_surprise, logits)


def _apply_if(
    used: tf.Tensor, function: Callable[[tf.Tensor], tf.Tensor], logits: tf.Tensor
) -> tf.Tensor:
    return tf.cond(used, lambda: function(logits), lambda: logits)
