"""From a job's champion to the model that answers."""
