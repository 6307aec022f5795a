"""Chat templates: render the messages of a dialogue as a prompt with Jinja.

A template comes with a published model, so it is a stranger's program. It is rendered by Jinja's
sandbox, in a separate process that has little memory and little processor time.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, cast

from textgen.errors import ConfigError, GenerationError

_MAX_PROCESSOR_SECONDS = 5.0
# By the clock: for a process that does nothing, or on a machine that has no time for it.
_TIMEOUT = 60.0
_MAX_MEMORY = 1 << 29
_MAX_CHARACTERS = 1 << 20
_ROLES = ("system", "user", "assistant")


class ChatTemplate:
    """A model's chat template.

    Args:
        source: The template, in Jinja's language.
        bos: The text of the BOS token, which templates call `bos_token`.
        eos: The text of the EOS token, which templates call `eos_token`.

    Example:
        >>> with ChatTemplate("{{ messages[0].content }}{{ eos_token }}", "", "</s>") as chat:
        ...     chat.render([{"role": "user", "content": "Hello"}])
        'Hello</s>'
    """

    def __init__(self, source: str, bos: str, eos: str) -> None:
        self._source = source
        self._tokens = {"bos_token": bos, "eos_token": eos}
        self._worker: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> ChatTemplate:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process that renders."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.kill()
            worker.communicate()

    def render(self, messages: Sequence[Mapping[str, str]]) -> str:
        """Return the prompt that asks for the assistant's next message.

        Args:
            messages: Each with a `role`, `system`, `user` or `assistant`, and a `content`, in which
                the texts of special tokens are protected.

        Raises:
            ConfigError: If a message has another form, or the template refuses the dialogue.
            GenerationError: If the template takes too long, or too much memory.
        """
        check_messages(messages)
        # A template of a single prompt need not know of dialogues.
        values = {
            "messages": messages,
            "prompt": messages[-1]["content"],
            "add_generation_prompt": True,
            **self._tokens,
        }
        with self._lock:
            answer = self._ask(json.dumps({"template": self._source, "values": values}))
        if "error" in answer:
            raise ConfigError(f"The chat template refuses the dialogue: {answer['error']}")
        return answer["text"]

    def _ask(self, question: str) -> dict[str, Any]:
        """Send a line to the process that renders, and return its answer."""
        if self._worker is None:
            limits = f"{_MAX_MEMORY}, {_MAX_PROCESSOR_SECONDS}"
            code = f"from textgen.template_worker import main; main({limits})"
            self._worker = subprocess.Popen(
                [sys.executable, "-P", "-c", code],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is not for it
            )
        worker = self._worker
        timer = threading.Timer(_TIMEOUT, worker.kill)
        timer.start()
        try:
            stdin, stdout = cast(BinaryIO, worker.stdin), cast(BinaryIO, worker.stdout)
            stdin.write(question.encode() + b"\n")
            stdin.flush()
            line = stdout.readline(8 * _MAX_CHARACTERS)
        except BrokenPipeError:
            line = b""
        finally:
            timer.cancel()
        if not line.endswith(b"\n"):
            self.close()
            raise GenerationError(
                f"The chat template takes more than {_MAX_PROCESSOR_SECONDS:g} seconds of "
                f"processor time or {_MAX_MEMORY >> 20} MB, so it was ended."
            )
        return json.loads(line)


def check_messages(messages: object) -> None:
    """Check the form of a dialogue.

    Raises:
        ConfigError: If it is no list of messages, or does not begin with the system or the user.
    """
    if not isinstance(messages, Sequence) or isinstance(messages, str) or not messages:
        raise ConfigError(
            f"messages must be a list with one message or more. Received: {messages!r}"
        )
    for message in messages:
        is_message = isinstance(message, Mapping) and isinstance(message.get("content"), str)
        if not is_message or message.get("role") not in _ROLES:
            raise ConfigError(
                "A message must have a content, which is a text, and a role: "
                f"{', '.join(_ROLES)}. Received: {message!r}"
            )
    if messages[0]["role"] == "assistant":
        raise ConfigError("A dialogue must not begin with the assistant. Received: 'assistant'")
