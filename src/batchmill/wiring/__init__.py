"""The one place that turns the words of a job into classes."""
