"""Where words start by the patterns of published tokenizers, as TensorFlow ops.

See `textgen.tokenizer.published_words` for the patterns. A regular expression finds one word
after the other. Here all characters are looked at together: first, where a word would end if it
started at this character; then, which characters are reached from the first one by going from
the start of a word to its end. Steps of 1, 2, 4, 8, ... words make that a matter of a dozen
operations, however long the text is.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from textgen.tokenizer.character_classes import (
    DIGIT,
    LETTER,
    NUMBER,
    OTHER,
    SPACE,
    CharacterClasses,
)
from textgen.tokenizer.graph.runs import distance_from_last, reached, running_count
from textgen.tokenizer.published_words import CASES, CONTRACTIONS, WordRules

# Follows the last character of every row, and joins nothing.
_END = 5
_NOT_A_CHARACTER = -1


class PublishedStarts:
    """Marks where words start.

    Args:
        rules: The pattern.
        classes: Which characters are letters, numbers and spaces.
    """

    def __init__(self, rules: WordRules, classes: CharacterClasses) -> None:
        self._rules = rules
        self._firsts, self._kinds = np.array(classes.kinds(rules.separates_digits), np.int32).T

    def __call__(self, points: tf.RaggedTensor) -> tf.Tensor:
        """Return whether a word starts at each character.

        Args:
            points: Code points, int32[B, (T)]. Words end before a negative one.

        Returns:
            bool[C] for the C characters of all rows.
        """
        # Behind every row one more character, and one more at the very end, so that every
        # character has one after it.
        places = tf.range(tf.size(points.flat_values)) + tf.cast(points.value_rowids(), tf.int32)
        size = tf.size(places) + tf.cast(points.nrows(), tf.int32) + 1
        closed = tf.tensor_scatter_nd_update(
            tf.fill([size], _NOT_A_CHARACTER), places[:, None], points.flat_values
        )
        begins_row = tf.concat([[True], closed[:-1] < 0], 0)
        return tf.gather(reached(begins_row, self._word_ends(closed)), places)

    def _word_ends(self, points):
        """Return where a word that starts at each of the characters would end, int32[N]."""
        ranges = tf.searchsorted(tf.constant(self._firsts), points, side="right") - 1
        kinds = tf.gather(tf.constant(self._kinds), tf.maximum(ranges, 0))
        kinds = tf.where(points >= 0, kinds, _END)
        here = tf.range(tf.size(points))
        follows = _shifted(kinds, _END)
        run_ends = tf.minimum(_next(tf.not_equal(kinds, follows)) + 1, tf.size(points) - 1)
        contraction = self._contraction_sizes(points)
        is_blank = tf.equal(points, ord(" "))
        is_space = tf.equal(kinds, SPACE)

        # The end of a run of letters, numbers or other characters.
        ends = run_ends
        if self._rules.max_numbers:
            longest = tf.minimum(run_ends, here + self._rules.max_numbers)
            ends = tf.where(tf.equal(kinds, NUMBER), longest, ends)
        if self._rules.separates_digits:
            ends = tf.where(tf.equal(kinds, DIGIT), here + 1, ends)

        # The last of several spaces is left to what follows them.
        behind = tf.gather(kinds, run_ends)
        leaves_one = _is_any(behind, LETTER, NUMBER, OTHER) & (run_ends - here > 1)
        space_ends = run_ends - tf.cast(leaves_one, tf.int32)

        run_ends_after = _shifted(run_ends, 0)
        if self._rules.is_modern:
            is_line_end = tf.equal(points, ord("\n")) | tf.equal(points, ord("\r"))
            # Other characters are followed by line ends, and spaces end after the last one.
            line_ends = tf.where(is_line_end, _next(~is_line_end), here)
            last_line_end = tf.gather(
                here - distance_from_last(is_line_end), tf.maximum(run_ends - 1, 0)
            )
            space_ends = tf.where(last_line_end >= here, last_line_end + 1, space_ends)
            ends = tf.where(tf.equal(kinds, OTHER), tf.gather(line_ends, run_ends), ends)
            joins_letters = (is_space & ~is_line_end) | tf.equal(kinds, OTHER)
            joined_ends = tf.gather(line_ends, run_ends_after)
            joins_other = is_blank & tf.equal(follows, OTHER)
        else:
            joins_letters = is_blank
            joined_ends = run_ends_after
            joins_other = is_blank & _is_any(follows, NUMBER, OTHER)
        ends = tf.where(is_space, space_ends, ends)
        ends = tf.where(joins_other, joined_ends, ends)
        ends = tf.where(joins_letters & tf.equal(follows, LETTER), run_ends_after, ends)
        ends = tf.where(tf.equal(kinds, _END), here, ends)
        return tf.where(contraction > 0, here + contraction, ends)

    def _contraction_sizes(self, points):
        """Return how many characters of a contraction start at each character, int32[N]."""
        second = _shifted(points, _NOT_A_CHARACTER)
        third = _shifted(second, _NOT_A_CHARACTER)
        sizes = tf.zeros_like(points)
        for ending in CONTRACTIONS:
            first, *rest = (CASES[letter] if self._rules.is_modern else letter for letter in ending)
            found = tf.equal(points, ord("'")) & _is_any(second, *map(ord, first))
            for letters in rest:
                found &= _is_any(third, *map(ord, letters))
            sizes = tf.where(found, 1 + len(ending), sizes)
        return sizes


def _is_any(values: tf.Tensor, *wanted: int) -> tf.Tensor:
    return tf.reduce_any(tf.equal(values[:, None], tf.constant(wanted)), 1)


def _shifted(values: tf.Tensor, last: int) -> tf.Tensor:
    """Return what follows each of the values."""
    return tf.concat([values[1:], [last]], 0)


def _next(marks: tf.Tensor) -> tf.Tensor:
    """Return the first true position from each position on, int32[N]; the last if there is none."""
    positions = tf.cast(tf.where(marks)[:, 0], tf.int32)
    index = running_count(marks) - tf.cast(marks, tf.int32)
    return tf.gather(tf.concat([positions, [tf.size(marks) - 1]], 0), index)
