"""Models as files that other programs run: StableHLO and ONNX, each compared before it is kept."""
