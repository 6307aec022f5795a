"""A small PredictionService around the runtime, for tests of gRPC clients.

It does what TensorFlow Serving does with a request: fills in the defaults of the
signature, runs it, filters the outputs.
"""

from concurrent import futures
from contextlib import contextmanager

import grpc
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc

from textgen.errors import GenerationError
from textgen.runtime import SavedModel


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, name, path):
        self._name = name
        self._model = SavedModel(path)
        content = (path / "saved_model.pb").read_bytes()
        self._meta_graph = saved_model_pb2.SavedModel.FromString(content).meta_graphs[0]

    def Predict(self, request, context):  # noqa: N802
        self._find(request, context)
        signature = request.model_spec.signature_name or "serving_default"
        if signature not in self._meta_graph.signature_def:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"{signature} not found")
        definition = self._meta_graph.signature_def[signature]
        inputs = {**definition.defaults, **request.inputs}
        try:
            arrays = {name: tf.make_ndarray(tensor) for name, tensor in inputs.items()}
            outputs = self._model.run(signature, **arrays)
        except GenerationError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        response = predict_pb2.PredictResponse(model_spec=request.model_spec)
        for name in request.output_filter or outputs:
            proto = tf.make_tensor_proto(outputs[name], definition.outputs[name].dtype)
            response.outputs[name].CopyFrom(proto)
        return response

    def GetModelMetadata(self, request, context):  # noqa: N802
        self._find(request, context)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for name, signature in self._meta_graph.signature_def.items():
            signatures.signature_def[name].CopyFrom(signature)
        response = get_model_metadata_pb2.GetModelMetadataResponse(model_spec=request.model_spec)
        response.metadata["signature_def"].Pack(signatures)
        return response

    def _find(self, request, context):
        if request.model_spec.name != self._name:
            context.abort(grpc.StatusCode.NOT_FOUND, f"no model {request.model_spec.name}")


@contextmanager
def serving(name, path):
    """Serve a model; yields the address."""
    server = grpc.server(
        futures.ThreadPoolExecutor(2), options=[("grpc.max_receive_message_length", -1)]
    )
    service = PredictionService(name, path)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()
