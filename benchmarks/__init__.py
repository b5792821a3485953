"""The measured figures of docs/performance.md: `python -m benchmarks [NAME ...]`, one module a figure."""
