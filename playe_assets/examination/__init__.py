"""The use cases as plain functions: intake, detect, enhance, measure, report, verify."""
