"""Send requests to TensorFlow Serving over gRPC: for a whole text, and for a stream.

pip install tensorflow-serving-api
python client.py localhost:8500 shakespeare "ROMEO:"
"""

import sys

import grpc
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc


class Model:
    """One model of a server.

    Args:
        address: Host and port of the server's gRPC interface.
        name: The name of the model.
    """

    def __init__(self, address, name):
        # The state of a stream may be larger than 4 MB, gRPC's default limit.
        options = [("grpc.max_receive_message_length", -1)]
        channel = grpc.insecure_channel(address, options)
        self._service = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        self._name = name

    def ask(self, signature, inputs, outputs=()):
        """Call a signature. Inputs that are left out have their defaults.

        Args:
            signature: The name of the signature.
            inputs: Values or tensor messages, by name.
            outputs: Names of the outputs to return. If empty, all are returned.

        Returns:
            The outputs as tensor messages, by name.
        """
        request = predict_pb2.PredictRequest(output_filter=outputs)
        request.model_spec.name = self._name
        request.model_spec.signature_name = signature
        for name, value in inputs.items():
            is_message = isinstance(value, TensorProto)
            request.inputs[name].CopyFrom(value if is_message else tf.make_tensor_proto(value))
        return self._service.Predict(request, timeout=60).outputs

    def write(self, prompt, **controls):
        """Return the text that continues a prompt."""
        answer = self.ask("generate", {"prompts": [prompt], **controls}, ["text"])
        return answer["text"].string_val[0].decode()

    def stream(self, prompt, num_tokens=8, **controls):
        """Yield the bytes that continue a prompt, a few tokens at a time.

        The server keeps nothing between two calls: the client sends the whole state of the text
        back, as the messages that it received. A piece may end inside a character.
        """
        answer = self.ask("prefill", {"prompts": [prompt], **controls})
        ended = False
        while not ended:
            state = {name: value for name, value in answer.items() if name.startswith("state_")}
            answer = self.ask("decode", {"num_tokens": [num_tokens], **state})
            yield answer["text_bytes"].string_val[0]
            ended = answer["finish_reason"].string_val[0] != b""


if __name__ == "__main__":
    address, name, prompt = sys.argv[1:]
    model = Model(address, name)
    # Types must match the signature: integers are int32, but a seed is int64.
    seed = tf.make_tensor_proto([7], tf.int64)
    print(prompt + model.write(prompt, max_new_tokens=[80], temperature=[0.7], seed=seed))
    sys.stdout.buffer.write(prompt.encode())
    for piece in model.stream(prompt, max_new_tokens=[80], temperature=[0.7], seed=seed):
        sys.stdout.buffer.write(piece)
        sys.stdout.flush()
    print()
