"""One dynamic partition a case, and the run tags that carry who asked for what."""

from __future__ import annotations

import dagster as dg

CASES = dg.DynamicPartitionsDefinition(name="cases")

TAG_CASE = "playe/case"
TAG_REQUEST = "playe/request_id"
TAG_OPERATOR = "playe/operator"
TAG_OPERATOR_AUTH = "playe/operator_auth"
TAG_DELIVERY = "playe/delivery"
"""Path of the delivered folder."""
TAG_FINGERPRINT = "playe/fingerprint"
"""Of the delivered folder when the sensor judged it: the run refuses it if it has changed since."""
TAG_IN_PLACE = "playe/in_place"
"""`true`: the delivered folder is the operator's own and stays where it is."""
TAG_PRESET = "playe/preset"
TAG_PROCESS = "playe/process"
"""Of a run in the CLI's own process: which one, so that a killed one does not block its case for ever."""
