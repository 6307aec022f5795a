"""Sample configuration files for TensorFlow Serving, next to the versions of a model.

The server ignores children of a base path whose names are not numbers. So the files can be there,
and one mount brings model and configuration into a container. Existing files are never
overwritten. docs/guides/serving.md explains how to use them.
"""

from __future__ import annotations

import json
from pathlib import Path

from textgen.files import write_atomically

_MODELS = """\
# ModelServerConfig, for --model_config_file: which models to serve.
# Folders are those inside the container (docker run -v .../NAME:/models/NAME).
model_config_list {
  config {
    name: %(name)s
    base_path: %(base_path)s
    model_platform: "tensorflow"
    # The newest version is served; until it is loaded, the previous one. To serve certain
    # versions, which clients name in the request:
    # model_version_policy { specific { versions: 1 versions: 2 } }
    # A label lets clients follow you from version to version:
    # version_labels { key: "stable" value: 1 }
  }
}
"""

_BATCHING = """\
# BatchingParameters, for --enable_batching --batching_parameters_file.
# Requests that arrive together are decoded together, for little more than the cost of
# one. A batch takes as long as its longest text.

# Maximum number of rows per batch. A larger request is refused.
max_batch_size { value: 32 }

# How long the first request of a batch waits for others, in microseconds: little compared
# with the tenths of a second that a text takes.
batch_timeout_micros { value: 5000 }

# Batches that run at the same time: the number of processor cores; 1 on a GPU.
num_batch_threads { value: 4 }

# Batches that may wait. Further requests are refused immediately (UNAVAILABLE, HTTP 503).
max_enqueued_batches { value: 64 }

# Requests may have different numbers of stop strings, and streams states of different
# sizes. Shorter tensors are padded with their own first element. So begin the lists stop,
# banned and bias_text with "", and bias with 0; these have no effect.
pad_variable_length_inputs: true

# No allowed_batch_sizes: the graph takes batches of any size, and rows that round a batch
# up would cost as much as real ones. If you set them, the last must be max_batch_size.
"""

_MONITORING = """\
# MonitoringConfig, for --monitoring_config_file: metrics for Prometheus at the REST port.
prometheus_config {
  enable: true
  path: "/monitoring/prometheus/metrics"
}
"""


def write_configuration(folder: Path, name: str) -> None:
    """Write models.config, batching_params.pbtxt and monitoring.config if they do not exist.

    Args:
        folder: The model's folder, which holds its versions.
        name: The model's name.

    Raises:
        OSError: If the folder cannot be written.
    """
    files = {
        "models.config": _models_config(name),
        "batching_params.pbtxt": _BATCHING,
        "monitoring.config": _MONITORING,
    }
    for file, content in files.items():
        if not (folder / file).exists():
            write_atomically(folder / file, content.encode())


def rename_in_configuration(folder: Path, old: str, new: str) -> None:
    """Write models.config for a model's new name, unless the user has changed the file.

    Args:
        folder: The model's folder.
        old: The name that the file holds.
        new: The model's name now.

    Raises:
        OSError: If the folder cannot be written.
    """
    path = folder / "models.config"
    if path.is_file() and path.read_bytes() == _models_config(old).encode():
        write_atomically(path, _models_config(new).encode())


def _models_config(name: str) -> str:
    # Strings of the text format are quoted as those of JSON are.
    names = {"name": name, "base_path": f"/models/{name}"}
    return _MODELS % {key: json.dumps(value, ensure_ascii=False) for key, value in names.items()}
