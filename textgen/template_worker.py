"""The process that renders chat templates: a line of JSON in, a line of JSON out."""

from __future__ import annotations

import functools
import json
import resource
import signal
import sys
from typing import Any


def main(max_memory: int, max_seconds: float) -> None:
    """Answer questions until standard input ends.

    Args:
        max_memory: Bytes of memory that the process may have.
        max_seconds: Seconds of processor time that an answer may take. A busy machine, on which
            it takes longer by the clock, refuses no template.
    """
    render = make_renderer()
    resource.setrlimit(resource.RLIMIT_AS, (max_memory, max_memory))
    for line in sys.stdin.buffer:
        question = json.loads(line)
        # Its signal ends the process, whatever a template does.
        signal.setitimer(signal.ITIMER_PROF, max_seconds)
        try:
            answer = {"text": render(question["template"], question["values"])}
        except MemoryError:
            return
        except Exception as error:  # whatever a template does wrong
            answer = {"error": (str(error).splitlines() or [type(error).__name__])[0][:1000]}
        sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
        sys.stdout.buffer.flush()


def make_renderer() -> Any:
    """Return a function that renders a template with values, as Hugging Face's libraries do.

    Reference:
        https://huggingface.co/docs/transformers/chat_templating_writing
    """
    from datetime import datetime

    from jinja2.exceptions import TemplateError
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def raise_exception(message: object) -> None:
        raise TemplateError(str(message))

    def to_json(value: object, ensure_ascii: bool = False, **options: Any) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, **options)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
    )
    environment.filters["tojson"] = to_json
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    # A training run renders one template for thousands of dialogues.
    compiled = functools.lru_cache(maxsize=4)(environment.from_string)
    return lambda template, values: compiled(template).render(**values)
