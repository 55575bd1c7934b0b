"""All that speaks to MLflow: runs, registered models, what is used."""
