"""`textgen chat`: chat with a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from textgen.cli import options
from textgen.cli.line_input import LineInput
from textgen.cli.sampling import controls, sampling_config
from textgen.cli.screen import TextPrinter, say, visible

from textgen.chat_template import check_messages
from textgen.config import SamplingConfig
from textgen.errors import ConfigError
from textgen.files import open_plain, write_atomically

if TYPE_CHECKING:
    from textgen.inference.dialogue import Chat

_HELP = """\
/again    answer the last message again
/undo     take the last turn back
/clear    forget everything but the system message
/system TEXT   set the system message, and begin again
/help     show this
/quit     end, as Ctrl-D does
A line that ends with a backslash continues on the next one. Ctrl-C ends an answer."""
_MAX_HISTORY_BYTES = 1 << 24


@click.command(cls=options.SectionedCommand)
@options.model
@options.output("--system", metavar="TEXT", help="System message, which comes first.")
@options.output(
    "--history",
    type=click.Path(dir_okay=False),
    help="File that keeps the dialogue, as JSON. If it exists, its dialogue continues.",
)
@controls
@options.models_dir
def chat(
    model: str | None,
    system: str | None,
    history: str | None,
    models_dir: str | None,
    **sampling: Any,
) -> None:
    """Chat with a model that has a chat template, such as an imported one.

    Type a message and press Enter. /help shows the commands.
    """
    config = sampling_config(sampling)
    dialogue = Dialogue(Path(history) if history is not None else None, system)
    from textgen.inference import load
    from textgen.inference.dialogue import Chat

    with load(model, models_dir) as generator, Chat(generator) as talker:
        say(visible(f"Chatting with {generator.entry.name}. /help shows the commands."))
        lines = LineInput()
        while (message := _ask(lines)) is not None:
            if message.startswith("/"):
                if not _obey(message, dialogue, talker, config):
                    return
            elif message.strip():
                dialogue.messages.append({"role": "user", "content": message})
                _answer(dialogue, talker, config)


class Dialogue:
    """The messages so far, in memory and in a file.

    Args:
        path: The file, if one is kept.
        system: The system message, if one is given.
    """

    def __init__(self, path: Path | None, system: str | None) -> None:
        self.messages: list[dict[str, str]] = []
        self._path = path
        if path is not None and path.exists():
            self.messages = _read(path)
        if system is not None:
            self.set_system(system, keep=True)

    def set_system(self, text: str, keep: bool = False) -> None:
        """Set the system message, and forget the others unless they are kept."""
        rest = [each for each in self.messages if each["role"] != "system"] if keep else []
        self.messages = [{"role": "system", "content": text}, *rest]

    def clear(self) -> None:
        """Forget everything but the system message."""
        self.messages = [each for each in self.messages[:1] if each["role"] == "system"]

    def undo(self) -> str | None:
        """Take the last turn back, and return what the user said, if anything."""
        while self.messages and self.messages[-1]["role"] == "assistant":
            self.messages.pop()
        if self.messages and self.messages[-1]["role"] == "user":
            return self.messages.pop()["content"]
        return None

    def save(self) -> None:
        """Write the file, if one is kept."""
        if self._path is not None:
            text = json.dumps(self.messages, ensure_ascii=False, indent=1) + "\n"
            write_atomically(self._path, text.encode("utf-8"))


def _read(path: Path) -> list[dict[str, str]]:
    with open_plain(path) as file:
        content = file.read(_MAX_HISTORY_BYTES + 1)
    try:
        if len(content) > _MAX_HISTORY_BYTES:
            raise ValueError("it is too large")
        messages = json.loads(content.decode("utf-8"))
        if messages != []:
            check_messages(messages)
        return [{"role": each["role"], "content": each["content"]} for each in messages]
    except (ValueError, TypeError, ConfigError, RecursionError) as error:
        raise ConfigError(f"--history {path} is not a dialogue ({error}).") from error


def _ask(lines: LineInput) -> str | None:
    """Return the next message, or `None` at the end of input."""
    parts = []
    prompt = "> "
    while True:
        try:
            line = lines.ask(prompt)
        except KeyboardInterrupt:
            say("")
            return None
        if line is None or not line.endswith("\\"):
            break
        parts.append(line[:-1])
        prompt = ". "
    if line is None and not parts:
        return None
    return "\n".join([*parts, line or ""])


def _obey(message: str, dialogue: Dialogue, talker: Chat, config: Any) -> bool:
    """Carry out a command; return whether the dialogue continues."""
    name, _, text = message.partition(" ")
    if name == "/quit":
        return False
    if name == "/again":
        if (last := dialogue.undo()) is None:
            say("There is nothing to answer yet.")
        else:
            dialogue.messages.append({"role": "user", "content": last})
            _answer(dialogue, talker, config)
        return True
    if name == "/undo":
        dialogue.undo()
    elif name == "/clear":
        dialogue.clear()
    elif name == "/system" and text.strip():
        dialogue.set_system(text.strip())
    else:
        say(_HELP if name == "/help" else f"There is no command {visible(name)}.\n{_HELP}")
        return True
    dialogue.save()
    return True


def _answer(dialogue: Dialogue, talker: Chat, config: SamplingConfig) -> None:
    """Print the model's answer while it is generated; Ctrl-C ends it."""
    printer = TextPrinter()
    chunks: list[str] = []
    try:
        for chunk in talker.answer(dialogue.messages, config):
            # A model may begin its answer with line ends.
            chunk = chunk if chunks else chunk.lstrip()
            if chunk:
                chunks.append(chunk)
                printer.print(chunk)
    except KeyboardInterrupt:
        pass
    except ConfigError as error:
        dialogue.undo()
        say(visible(f"Error: {error}"))
        return
    printer.end()
    dialogue.messages.append({"role": "assistant", "content": "".join(chunks).rstrip()})
    dialogue.save()
