"""The sample configuration: a server can parse it, and nobody's changes are lost."""

import re

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

from textgen.serving.tf_serving import write_configuration

FILES = {"models.config", "batching_params.pbtxt", "monitoring.config"}


def message(fields):
    """A message with these fields, numbers aside: enough for the text format.

    A field is a Python type, a list of one, or the fields of a message.
    """
    file = descriptor_pb2.FileDescriptorProto(name="test.proto", syntax="proto3")
    _add_message(file, "Test", fields)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("Test"))()


def _add_message(file, name, fields):
    field_proto = descriptor_pb2.FieldDescriptorProto
    types = {
        int: field_proto.TYPE_INT64,
        bool: field_proto.TYPE_BOOL,
        str: field_proto.TYPE_STRING,
    }
    descriptor = file.message_type.add(name=name)
    for number, (key, kind) in enumerate(fields.items(), start=1):
        field = descriptor.field.add(name=key, number=number, label=field_proto.LABEL_OPTIONAL)
        if isinstance(kind, list):
            field.label, (kind,) = field_proto.LABEL_REPEATED, kind
        if isinstance(kind, dict):
            field.type, field.type_name = field_proto.TYPE_MESSAGE, f".{name}{number}"
            _add_message(file, f"{name}{number}", kind)
        else:
            field.type = types[kind]


@pytest.fixture
def folder(tmp_path):
    write_configuration(tmp_path, 'it\'s "mine" 字')
    return tmp_path


def test_files_are_written_once_and_never_again(folder):
    assert {file.name for file in folder.iterdir()} == FILES
    for name in FILES:
        (folder / name).write_text("my own")
    write_configuration(folder, "other")
    assert {(folder / name).read_text() for name in FILES} == {"my own"}


def test_models_config_names_the_model_and_its_folder(folder):
    config_pb2 = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2")
    content = (folder / "models.config").read_text("utf-8")
    config = text_format.Parse(content, config_pb2.ModelServerConfig())
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path) == ('it\'s "mine" 字', '/models/it\'s "mine" 字')
    assert model.model_platform == "tensorflow"


def test_what_models_config_shows_in_comments_is_valid_too(folder):
    config_pb2 = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2")
    content = (folder / "models.config").read_text("utf-8")
    content = re.sub(r"# (?=(model_version_policy|version_labels))", "", content)
    config = text_format.Parse(content, config_pb2.ModelServerConfig())
    (model,) = config.model_config_list.config
    assert list(model.model_version_policy.specific.versions) == [1, 2]
    assert dict(model.version_labels) == {"stable": 1}


def test_batching_parameters_are_those_of_the_server(folder):
    # session_bundle_config.proto, which tensorflow-serving-api does not have.
    parameters = message(
        {
            "max_batch_size": {"value": int},
            "batch_timeout_micros": {"value": int},
            "max_enqueued_batches": {"value": int},
            "num_batch_threads": {"value": int},
            "allowed_batch_sizes": [int],
            "pad_variable_length_inputs": bool,
        }
    )
    text_format.Parse((folder / "batching_params.pbtxt").read_text("utf-8"), parameters)
    assert parameters.max_batch_size.value >= 8
    assert parameters.pad_variable_length_inputs
    sizes = parameters.allowed_batch_sizes
    assert not sizes or sizes[-1] == parameters.max_batch_size.value


def test_monitoring_config_is_that_of_the_server(folder):
    config = message({"prometheus_config": {"enable": bool, "path": str}})
    text_format.Parse((folder / "monitoring.config").read_text("utf-8"), config)
    assert config.prometheus_config.enable
    assert config.prometheus_config.path.startswith("/")
