"""The way of values from numpy into TensorFlow's memory and back."""

import numpy as np
import pytest

from textgen.runtime import library
from textgen.runtime.tensors import NativeTensor


@pytest.mark.parametrize(
    "view", [np.transpose, lambda array: array[:, ::-1], lambda array: array[1:, :-1]]
)
def test_an_array_that_is_not_contiguous_arrives_whole(view):
    # Beyond 32 MiB, memory that Python drops goes back to the operating system at once.
    array = view(np.arange(12_000_000, dtype=np.float32).reshape(3000, 4000))
    tensor = NativeTensor.from_numpy(library.load(), array)
    np.testing.assert_array_equal(tensor.numpy(), array)
