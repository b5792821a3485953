"""The only folder that knows Dagster: partitions, resources, assets, checks, sensors, jobs, executors."""
