"""A champion as an ONNX graph, as a registered MLflow model, and behind HTTP."""
