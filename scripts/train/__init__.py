"""Trains the models of gridwatch: from data folders to a checked ONNX file and its card."""
