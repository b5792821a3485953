"""The enhancers: one file each, one line here. Importing this loads none of them."""

from __future__ import annotations

from playe_assets.core.contracts import Enhancer
from playe_assets.core.registry import Registry

# In the order in which a recipe reads best: whole frames from fields, put upright, use other frames, light,
# denoise, deblur, scale, contrast.
ENHANCERS: Registry[Enhancer] = Registry(
    "enhancer",
    {
        "deinterlace": "playe_assets.enhancers.deinterlace:Deinterlace",
        "orient": "playe_assets.enhancers.orient:Orient",
        "fusion": "playe_assets.enhancers.fusion:Fusion",
        "temporal_denoise": "playe_assets.enhancers.temporal_denoise:TemporalDenoise",
        "stabilise": "playe_assets.enhancers.stabilise:Stabilise",
        "low_light": "playe_assets.enhancers.low_light:LowLight",
        "artefacts": "playe_assets.enhancers.artefacts:Artefacts",
        "denoise_learned": "playe_assets.enhancers.denoise_learned:DenoiseLearned",
        "denoise_video": "playe_assets.enhancers.denoise_video:DenoiseVideo",
        "nlm": "playe_assets.enhancers.nlm:NonLocalMeans",
        "deblur": "playe_assets.enhancers.deblur:Deblur",
        "super_resolution": "playe_assets.enhancers.super_resolution:SuperResolution",
        "lanczos": "playe_assets.enhancers.lanczos:Lanczos",
        "local_contrast": "playe_assets.enhancers.local_contrast:LocalContrast",
        "face_restoration": "playe_assets.enhancers.face_restoration:FaceRestoration",
    },
)
