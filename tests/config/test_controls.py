"""The table of controls is complete, and everything that is derived from it agrees."""

import dataclasses

import pytest

from textgen.config import BeamSearchConfig, ContrastiveSearchConfig, SamplingConfig
from textgen.config.constraint_controls import Switch, Text
from textgen.config.controls import Biases, Control, Integer, Number, Stage, Texts, controls_of

CONFIGS = [SamplingConfig, BeamSearchConfig, ContrastiveSearchConfig]
each_control = pytest.mark.parametrize(
    ("config", "control"),
    [(config, control) for config in CONFIGS for control in controls_of(config)],
    ids=lambda value: value.name if isinstance(value, Control) else value.__name__,
)


@pytest.mark.parametrize("config", CONFIGS)
def test_every_field_is_a_row_in_order(config):
    fields = dataclasses.fields(config)
    assert [(row.name, row.default) for row in controls_of(config)] == [
        (field.name, field.default) for field in fields
    ]


@each_control
def test_a_default_is_a_valid_value(config, control):
    assert control.checked(control.default) == control.default


@each_control
def test_a_warmup_value_is_valid(config, control):
    if control.warmup is not None:
        assert control.checked(control.warmup) == control.warmup


@each_control
def test_help_is_a_phrase_that_stands_alone(config, control):
    assert control.help[0].isupper()
    assert control.help.endswith(".")
    assert "--" not in control.help


@each_control
def test_the_docstring_has_the_row(config, control):
    line = f"    {control.name}: {control.help} Must be {control.rule}."
    assert line in config.__doc__.splitlines()


@each_control
def test_what_the_graph_replaces_is_within_what_it_clamps_to(config, control):
    if isinstance(control, Number) and control.clamp is not None:
        low, high = control.clamp
        # A temperature of 0 is not a small temperature, but greedy decoding.
        assert low <= control.replacement <= high or control.is_positive


def test_the_types_are_those_of_the_rows():
    kinds = {Integer: "int", Number: "float", Texts: "tuple[str", Biases: "tuple[tuple"}
    kinds |= {Text: "str", Switch: "bool"}
    for config in CONFIGS:
        for field, control in zip(dataclasses.fields(config), controls_of(config), strict=True):
            (kind,) = (kind for base, kind in kinds.items() if isinstance(control, base))
            assert field.type.startswith(kind)
            assert field.type.endswith(" | None") is (control.default is None)


def test_inputs_are_one_row_of_a_batch():
    rows = {control.name: control for control in controls_of(SamplingConfig)}
    assert rows["top_k"].inputs(5) == {"top_k": ("int32", [5])}
    assert rows["max_time"].inputs(None) == {"max_time": ("float32", [0.0])}
    assert rows["seed"].inputs(None) == {"seed": ("int64", [-1])}
    assert rows["stop"].inputs(("é", "b")) == {"stop": ("string", [["é".encode(), b"b"]])}
    # The host makes one automaton of all constraints.
    assert rows["avoid"].inputs(("a",)) == rows["ignore_case"].inputs(True) == {}
    assert rows["stop"].inputs(()) == {"stop": ("string", [[b""]])}
    assert rows["logit_bias"].inputs((("a", 1),)) == {
        "bias_text": ("string", [[b"a"]]),
        "bias": ("float32", [[1.0]]),
    }


def test_every_stage_that_is_shown_has_a_row():
    stages = {control.stage for config in CONFIGS for control in controls_of(config)}
    assert stages == set(Stage)
