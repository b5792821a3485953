"""Object detectors around the network: letterbox, decoding, suppression, names. numpy and cv2, no framework."""
