"""Inference: the door through which model weights are loaded (runtimes and tiling follow with the engine)."""
