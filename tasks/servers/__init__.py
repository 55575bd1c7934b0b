"""Prefect's and MLflow's servers: who may use them, and what they keep."""
