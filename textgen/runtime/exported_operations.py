"""The operations that textgen exports, by what runs them.

A test exports models of every kind and compares these lists with what it finds; when an
export changes, it prints the new ones.
"""

_SERVED = """
Abs AddV2 All Any ArgMax ArgMin BatchMatMulV2 BiasAdd BitwiseAnd BitwiseXor BroadcastTo Cast
ConcatV2 Const Cos Cumsum DecodePaddedRaw DecodeRaw DenseBincount EnsureShape Equal Exp ExpandDims
Fill FloorDiv FloorMod GatherNd GatherV2 Greater GreaterEqual Identity If IsFinite IsNan Less
LessEqual Log LogSoftmax LogicalAnd LogicalNot LogicalOr LowerBound MatMul Max Maximum Mean Min
Minimum Mul MulNoNan Neg NotEqual OneHot OnesLike Pack Pad PadV2 Placeholder PlaceholderWithDefault
Pow Prod RaggedRange RaggedTensorToTensor RandomUniformInt Range ReadVariableOp RealDiv ReduceJoin
Reshape RightShift Rsqrt ScatterNd ScatterNdNonAliasingAdd SegmentMin SelectV2 Shape Sigmoid Sin
Size Slice Softmax Split SplitV Square Squeeze StatelessIf StatelessWhile StopGradient StridedSlice
StringJoin StringLength StringToHashBucketFast Sub Substr Sum Tanh TensorListFromTensor
TensorListReserve TensorListSetItem TensorListStack TensorScatterUpdate Tile Timestamp TopKV2
Transpose UnicodeDecode UnicodeTranscode Unique Unpack UnsortedSegmentJoin UnsortedSegmentMax
UnsortedSegmentSum UpperBound VarHandleOp Where While ZerosLike
"""
_RESTORED = """
AssignVariableOp BitwiseAnd Cast Const Identity Mul NoOp PlaceholderWithDefault Reshape RestoreV2
RightShift ScatterNd VarHandleOp Where
"""
_SAVED = """
Const Identity MergeV2Checkpoints Pack PlaceholderWithDefault ReadVariableOp SaveV2 Select
ShardedFilename StaticRegexFullMatch StringJoin VarHandleOp
"""
_UNUSED = """
AssignVariableOp VarIsInitializedOp
"""

# Run by a signature, or part of a function.
SERVED = frozenset(_SERVED.split())
# Run when TensorFlow loads a model.
RESTORED = frozenset(_RESTORED.split())
# Run when a graph saves its variables, which an exported one never does.
SAVED = frozenset(_SAVED.split())
# Never run, like the initial values of variables. SERVED ones are left out.
UNUSED = frozenset(_UNUSED.split())
