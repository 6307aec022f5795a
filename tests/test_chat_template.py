"""Chat templates: Jinja in a process of its own."""

import os
import signal
import threading

import pytest

from textgen import chat_template
from textgen.chat_template import ChatTemplate
from textgen.errors import ConfigError, GenerationError

TURNS = (
    "{% for message in messages %}{{ '<s>' + message['role'] + '\n' + message['content'] }}</s>"
    "{% endfor %}{% if add_generation_prompt %}<s>assistant\n{% endif %}"
)
HELLO = [{"role": "user", "content": "Hello"}]


def render(source, messages=HELLO):
    with ChatTemplate(source, bos="<s>", eos="</s>") as template:
        return template.render(messages)


def test_a_dialogue_becomes_a_prompt():
    assert render(TURNS) == "<s>user\nHello</s><s>assistant\n"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ bos_token }}a{{ eos_token }}", "<s>a</s>"),
        ("{{ messages | tojson }}", '[{"role": "user", "content": "Hello"}]'),
        ("{{ strftime_now('%%') }}", "%"),
        ("{% for a in 'abc' %}{% if a == 'b' %}{% break %}{% endif %}{{ a }}{% endfor %}", "a"),
        ("{% if true %}\n  a\n{% endif %}\n", "  a\n"),
    ],
)
def test_templates_have_what_those_of_hugging_face_use(source, text):
    assert render(source) == text


@pytest.mark.parametrize(
    ("source", "match"),
    [
        ("{{ raise_exception('Roles must alternate') }}", "Roles must alternate"),
        ("{{ ().__class__.__bases__ }}", "unsafe"),
        ("{{ cycler.__init__.__globals__ }}", "unsafe|undefined"),
        ("{% include '/etc/passwd' %}", "no loader"),
        ("{% for %}", "Expected"),
        ("{{ messages.append(1) }}", "unsafe|not safely callable"),
    ],
)
def test_a_template_that_does_what_it_must_not_is_refused(source, match):
    with pytest.raises(ConfigError, match=match):
        render(source)


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{{ 'a' * 10 ** 10 }}",
    ],
)
def test_a_template_without_end_is_ended(source, monkeypatch):
    monkeypatch.setattr(chat_template, "_MAX_PROCESSOR_SECONDS", 1)
    with pytest.raises(GenerationError, match="of processor time or"):
        render(source)


def test_a_template_that_waits_for_a_busy_machine_is_not_ended(monkeypatch):
    monkeypatch.setattr(chat_template, "_MAX_PROCESSOR_SECONDS", 1)
    with ChatTemplate(TURNS, bos="<s>", eos="</s>") as template:
        prompt = template.render(HELLO)
        worker = template._worker.pid
        os.kill(worker, signal.SIGSTOP)
        threading.Timer(2, os.kill, (worker, signal.SIGCONT)).start()
        assert template.render(HELLO) == prompt


def test_a_process_that_does_nothing_is_ended(monkeypatch):
    with ChatTemplate(TURNS, bos="<s>", eos="</s>") as template:
        template.render(HELLO)
        os.kill(template._worker.pid, signal.SIGSTOP)
        monkeypatch.setattr(chat_template, "_TIMEOUT", 1)
        with pytest.raises(GenerationError, match="was ended"):
            template.render(HELLO)


@pytest.mark.parametrize(
    ("messages", "match"),
    [
        ([], "one message or more"),
        ("Hello", "must be a list"),
        ([{"role": "user"}], "must have a content"),
        ([{"role": "wizard", "content": "a"}], "and a role: system, user, assistant"),
        ([{"role": "assistant", "content": "a"}], "must not begin with the assistant"),
    ],
)
def test_a_dialogue_of_another_form_is_refused(messages, match):
    with pytest.raises(ConfigError, match=match):
        render(TURNS, messages)
