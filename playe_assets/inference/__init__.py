"""Inference: from a weight file to a network that a case may run on.

`cards` (facts) -> `weights`, `fetch`, `door` (bytes) -> `architectures/`, `networks`, `export` (the graph) ->
`runtimes/`, `sessions` (the engine) -> `tiling`, `colour`, `loaded` (pictures); `certificate` holds it to account.
A new architecture or runtime is one file in its folder and one line in that folder's `__init__.py`.
"""
