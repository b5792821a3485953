"""The only place that knows PyAV, Pillow, and image and video containers."""
