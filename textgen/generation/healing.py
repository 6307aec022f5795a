"""Token healing: a prompt may end anywhere, even inside a token of the training text.

BPE makes " world" one token. After the prompt "the wor", which ends with the tokens " w" and
"or", the model has never seen "ld"; after "the ", which ends with the token " ", it has never
seen "world". So the last tokens of the prompt are taken off if a longer token begins with
their bytes, and the first token that is generated must begin with these bytes.

    "the wor" --> "the", then one of " world", " worship", " word", ...
    "the "    --> "the", then any token that begins with a space

The model decides how many tokens are taken off: as many as make what follows most likely. The text
that is returned does not contain the bytes of the prompt. Sampling and both searches follow these
rules.

Letters in shapes: B batch, P tokens of the prompt, K tokens taken off at most, V vocabulary.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from textgen.generation.prefill import prefill
from textgen.generation.prefix_tree import PrefixTree
from textgen.generation.state import Request
from textgen.models.base import Decoder

# The last word of a prompt seldom has more tokens that one token could replace.
_MAX_TOKENS = 4


class Cut(NamedTuple):
    """Prompts without the tokens that are taken off.

    Attributes:
        lengths: int32[B], the tokens that are left in each row.
        node: int32[B], the bytes that were taken off, as a node of the prefix tree; 0 if none.
    """

    lengths: tf.Tensor
    node: tf.Tensor


class PromptHealer:
    """Takes tokens off prompts.

    Args:
        tree: The tokens by their prefixes.
        decoder: The model.
        request: What the caller asks for. Banned tokens replace none of the prompt.
    """

    def __init__(self, tree: PrefixTree, decoder: Decoder, request: Request) -> None:
        self._tree = tree
        self._decoder = decoder
        self._request = request

    def without_space(self, prompts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Take a space or tab off the end of every prompt that has one.

        Of several spaces only the last joins the next word.

        Returns:
            string[B], the prompts, and int32[B], the nodes of the spaces.
        """
        node = self._tree.space_at_end(prompts)
        sizes = tf.strings.length(prompts) - tf.cast(node > 0, tf.int32)
        return tf.strings.substr(prompts, tf.zeros_like(sizes), sizes), node

    def cut(
        self, window: tf.Tensor, lengths: tf.Tensor, space: tf.Tensor, is_whole: tf.Tensor
    ) -> Cut:
        """Take tokens off the end of every prompt that is not whole.

        Args:
            window: int32[B, P], the prefix token and the prompts, padded on the right.
            lengths: int32[B], tokens in each row, including the prefix token.
            space: int32[B], from `without_space`.
            is_whole: bool[B], prompts that keep their tokens, such as those without their space.
        """
        nodes = self._nodes(window, lengths)
        nodes = tf.where(is_whole[:, None], 0, nodes)
        # An automaton may forbid all tokens but the one that is the end of the prompt itself.
        is_bound = tf.not_equal(self._request.automaton, "")[:, None]
        nodes = tf.where(is_bound & (self._tree.token_of(nodes) < 0), 0, nodes)
        one = tf.cast(nodes[:, 0] > 0, tf.int32)
        # Only the model knows whether "Bob", of two tokens, begins " Bobby", a single one.
        count = tf.cond(
            tf.reduce_any(nodes[:, 1:] > 0),
            lambda: self._most_likely(window, lengths, nodes),
            lambda: one,
        )
        chosen = tf.gather(nodes, tf.maximum(count - 1, 0), batch_dims=1)
        return Cut(lengths - count, tf.where(count > 0, chosen, space))

    def _nodes(self, window, lengths):
        """The nodes of the last 1 to K tokens of each row, int32[B, K]; 0 if there are none."""
        columns = []
        for count in range(1, _MAX_TOKENS + 1):
            node = tf.zeros_like(lengths)
            for place in range(-count, 0):
                node = self._tree.append(node, _column(window, lengths + place))
            columns.append(tf.where(lengths > count, tf.maximum(node, 0), 0))
        return tf.stack(columns, 1)

    def _most_likely(self, window, lengths, nodes):
        """Return how many tokens to take off, int32[B], so that what follows is most likely."""
        # The vector after token i predicts token i + 1. The last token comes first from here on.
        hidden, _ = prefill(self._decoder, window, lengths - 1, self._request.deadline, _MAX_TOKENS)
        hidden = hidden[:, ::-1]  # (B, K, D)
        flat = self._decoder.logits(tf.reshape(hidden, [-1, hidden.shape[-1]]))
        logprobs = tf.reshape(tf.nn.log_softmax(flat), [*tf.unstack(tf.shape(nodes)), -1])
        columns = tf.maximum(lengths[:, None] - tf.range(1, _MAX_TOKENS + 1), 0)
        own = tf.gather(logprobs, tf.gather(window, columns, batch_dims=1), batch_dims=2)
        is_allowed = self._request.bias > float("-inf")
        begins = self._tree.tokens_from(nodes) & is_allowed[:, None]
        mass = tf.reduce_logsumexp(tf.where(begins, logprobs, float("-inf")), 2)
        # Against leaving the prompt as it is, whose tokens are replaced by one.
        gain = mass - tf.cumsum(own, axis=1)
        gain = tf.where((nodes > 0) & tf.reduce_any(begins, 2), gain, float("-inf"))
        best = tf.argmax(gain, 1, output_type=tf.int32)
        # A single token is always taken off: it may itself be the one that is generated.
        best = tf.where(tf.reduce_max(gain, 1) > 0, best + 1, 0)
        return tf.maximum(best, tf.cast(nodes[:, 0] > 0, tf.int32))


def healing_bias(
    tree: PrefixTree | None, node: tf.Tensor, bias: tf.Tensor, begins: tf.Tensor | None = None
) -> tf.Tensor:
    """Return the bias of the first token, which must begin with what was taken off the prompt.

    Biases and bans do not apply to the token that is exactly what was taken off: it belongs to
    the prompt.

    Args:
        tree: The tokens by their prefixes; `None` if no prompt is healed.
        node: int32[B], from `PromptHealer.cut`.
        bias: float32[B, V], the bias of all other tokens, and of rows that are not healed.
        begins: bool[B, V], the tokens that may be the first, if not all that fit.
    """
    if tree is None:
        return bias
    begins = tree.tokens_from(node) if begins is None else begins
    tokens = tf.range(tf.shape(bias)[1])
    is_exact = tf.equal(tokens, tree.token_of(node)[:, None])
    healing = tf.where(begins, bias, float("-inf"))
    return tf.where((node > 0)[:, None], tf.where(is_exact, 0.0, healing), bias)


def without_prompt(
    tree: PrefixTree | None, node: tf.Tensor, pieces: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Take the end of the prompt off the bytes of a first token.

    Args:
        tree: The tokens by their prefixes; `None` if no prompt is healed.
        node: int32[B], from `PromptHealer.cut`.
        pieces: string[B], the bytes of the tokens.

    Returns:
        string[B], the bytes that belong to the text, and int32[B], how many do not.
    """
    if tree is None:
        return pieces, tf.zeros_like(node)
    sizes = tf.strings.length(pieces)
    healed = tf.minimum(tree.size_of(node), sizes)
    return tf.strings.substr(pieces, healed, sizes - healed), healed


def _column(window, columns):
    return tf.gather(window, tf.maximum(columns, 0), batch_dims=1)
