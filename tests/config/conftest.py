"""What tests of every config share."""

import pytest

from textgen.errors import ConfigError


@pytest.fixture
def assert_refused():
    """Give a setting values outside its range; each must be named beside the rule."""

    def give(config, name, rule, values):
        for value in values:
            for build in (config, lambda **settings: config.from_dict(settings)):
                with pytest.raises(ConfigError) as caught:
                    build(**{name: value})
                shown = tuple(value) if isinstance(value, list) else value
                assert str(caught.value) == f"{name} {rule}. Received: {shown!r}"
                assert isinstance(caught.value, ValueError)

    return give


@pytest.fixture
def assert_kept():
    """Give settings that are in their range; lists come back as tuples."""

    def give(config, settings):
        built = config(**settings)
        for name, value in settings.items():
            assert getattr(built, name) == (tuple(value) if isinstance(value, list) else value)

    return give
