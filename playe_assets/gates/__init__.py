"""Gates: they refuse, metrics only measure. In the order of the stages that they judge."""

from __future__ import annotations

from playe_assets.core.contracts import Gate
from playe_assets.core.registry import Registry

GATES: Registry[Gate] = Registry(
    "gate",
    {
        "exhibits_intact": "playe_assets.gates.exhibits_intact:ExhibitsIntact",
        "detections_in_frame": "playe_assets.gates.detections_in_frame:DetectionsInFrame",
        "derivation": "playe_assets.gates.derivation:Derivation",
        "timing": "playe_assets.gates.timing:Timing",
        "metrics_present": "playe_assets.gates.metrics_present:MetricsPresent",
        "metrics_in_bounds": "playe_assets.gates.metrics_in_bounds:MetricsInBounds",
        "identity": "playe_assets.gates.identity:IdentityKept",
        "report_consistent": "playe_assets.gates.report_consistent:ReportConsistent",
    },
)
