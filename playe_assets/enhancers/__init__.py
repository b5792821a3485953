"""The enhancers: one file each, one line here. Importing this loads none of them."""

from __future__ import annotations

from playe_assets.core.contracts import Enhancer
from playe_assets.core.registry import Registry

# In the order in which a recipe reads best: put upright, use other frames, denoise, scale, contrast.
ENHANCERS: Registry[Enhancer] = Registry(
    "enhancer",
    {
        "orient": "playe_assets.enhancers.orient:Orient",
        "fusion": "playe_assets.enhancers.fusion:Fusion",
        "nlm": "playe_assets.enhancers.nlm:NonLocalMeans",
        "lanczos": "playe_assets.enhancers.lanczos:Lanczos",
        "local_contrast": "playe_assets.enhancers.local_contrast:LocalContrast",
    },
)
