"""The eighty classes of COCO in the order of the networks' outputs, and the groups that thresholds are set for.

Source: T.-Y. Lin et al.: Microsoft COCO: Common Objects in Context, ECCV 2014, with the ids 1..90 closed up.
"""

from __future__ import annotations

from collections.abc import Mapping

COCO: tuple[str, ...] = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic_light", "fire_hydrant", "stop_sign", "parking_meter", "bench",
    "bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe",
    "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports_ball",
    "kite", "baseball_bat", "baseball_glove", "skateboard", "surfboard", "tennis_racket",
    "bottle", "wine_glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich",
    "orange", "broccoli", "carrot", "hot_dog", "pizza", "donut", "cake",
    "chair", "couch", "potted_plant", "bed", "dining_table", "toilet",
    "tv", "laptop", "mouse", "remote", "keyboard", "cell_phone",
    "microwave", "oven", "toaster", "sink", "refrigerator",
    "book", "clock", "vase", "scissors", "teddy_bear", "hair_drier", "toothbrush",
)  # fmt: skip
"""Class index to the label of a finding; spaces are underscores, because labels are keys of the texts."""

_MEMBERS: Mapping[str, frozenset[str]] = {
    "people": frozenset(COCO[:1]),
    "vehicles": frozenset(COCO[1:9]),
    "street": frozenset(COCO[9:14]),
    "animals": frozenset(COCO[14:24]),
    # A knife or scissors matter as what a person holds, not as tableware.
    "carried": frozenset(COCO[24:39]) | {"knife", "scissors"},
    "office": frozenset(COCO[62:68]) | {"book"},
}

GROUPS: tuple[str, ...] = (*_MEMBERS, "household")
"""What a preset sets a threshold for; `household` is all that no other group names."""

GROUP_OF: Mapping[str, str] = {
    name: next((group for group, members in _MEMBERS.items() if name in members), "household")
    for name in COCO
}
"""Label to group."""
