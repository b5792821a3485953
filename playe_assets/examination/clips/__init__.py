"""A clip worked on in segments: cut, pipeline, parts on the disk, one pass, assembly. `enhance_clip` uses all."""
