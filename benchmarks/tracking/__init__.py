"""What it costs the loop that MLflow holds every run."""
