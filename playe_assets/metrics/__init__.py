"""The metrics: one file each, one line here. Importing this loads none of them."""

from __future__ import annotations

from playe_assets.core.contracts import Metric
from playe_assets.core.registry import Registry

# In the order of the table's columns: likeness first, then what a picture has by itself, then consistency.
METRICS: Registry[Metric] = Registry(
    "metric",
    {
        "psnr": "playe_assets.metrics.psnr:Psnr",
        "ssim": "playe_assets.metrics.ssim:Ssim",
        "sharpness": "playe_assets.metrics.sharpness:Sharpness",
        "noise": "playe_assets.metrics.noise:Noise",
        "blockiness": "playe_assets.metrics.blockiness:Blockiness",
        "niqe": "playe_assets.metrics.niqe:Niqe",
        "brisque": "playe_assets.metrics.brisque:Brisque",
        "pyiqa": "playe_assets.metrics.iqa_pyiqa:Pyiqa",
        "consistency": "playe_assets.metrics.consistency:Consistency",
        "evidence": "playe_assets.metrics.evidence:EvidenceAgreement",
        "identity": "playe_assets.metrics.identity:Identity",
        "flicker": "playe_assets.metrics.flicker:Flicker",
    },
)
