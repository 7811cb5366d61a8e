"""Kedro pipelines, one folder a job."""
