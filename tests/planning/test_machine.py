"""The machine is measured quickly."""

from textgen.planning import measure_machine


def test_the_machine_is_measured_and_named():
    machine = measure_machine(num_devices=2)
    assert machine.flops > 1e8
    assert machine.num_devices == 2
    assert machine.description[0].isdigit()
