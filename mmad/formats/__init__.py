"""Annotations and predictions in and out, a file a format. No torch."""
