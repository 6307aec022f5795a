"""Sample configuration files of TensorFlow Serving, beside the versions of a model.

The server ignores children of a base path whose names are not numbers, so the files may
lie there, and one mount brings model and configuration into a container. They are samples:
written where there are none, and never touched again. docs/guides/serving.md tells how to use them.
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
    # The newest version is served, and the one before until that is loaded. To serve
    # chosen ones, which callers name in the request:
    # model_version_policy { specific { versions: 1 versions: 2 } }
    # A label lets callers follow you from version to version:
    # version_labels { key: "stable" value: 1 }
  }
}
"""

_BATCHING = """\
# BatchingParameters, for --enable_batching --batching_parameters_file.
# Requests that arrive together are written together, at little more than the price of
# one; a batch takes as long as its longest text.

# The largest batch. A request of more rows is refused.
max_batch_size { value: 32 }

# How long the first request of a batch waits for others, in microseconds: little beside
# the tenths of a second that a text takes.
batch_timeout_micros { value: 5000 }

# Batches at work at a time: as many as there are processor cores; 1 on a GPU.
num_batch_threads { value: 4 }

# Batches that may wait; more requests are refused at once (UNAVAILABLE, HTTP 503).
max_enqueued_batches { value: 64 }

# Requests may differ in the number of their stop strings, and streams in the size of
# their state: the shorter tensors are padded with their own first element. So begin the
# lists stop, banned and bias_text with "" and bias with 0, which mean nothing.
pad_variable_length_inputs: true

# No allowed_batch_sizes: the graph takes any batch at its true price, and rows added to
# round a batch up would cost what real ones do. If you set them, the last must be
# max_batch_size.
"""

_MONITORING = """\
# MonitoringConfig, for --monitoring_config_file: metrics for Prometheus at the REST port.
prometheus_config {
  enable: true
  path: "/monitoring/prometheus/metrics"
}
"""


def write_configuration(folder: Path, name: str) -> None:
    """Write models.config, batching_params.pbtxt and monitoring.config where they are absent.

    Args:
        folder: the model's, which holds its versions.
        name: the model's.

    Raises:
        OSError: the folder cannot be written.
    """
    # Strings of the text format are quoted as those of JSON are.
    names = {"name": name, "base_path": f"/models/{name}"}
    quoted = {key: json.dumps(value, ensure_ascii=False) for key, value in names.items()}
    files = {
        "models.config": _MODELS % quoted,
        "batching_params.pbtxt": _BATCHING,
        "monitoring.config": _MONITORING,
    }
    for file, content in files.items():
        if not (folder / file).exists():
            write_atomically(folder / file, content.encode())
