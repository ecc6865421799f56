"""Showing: timelines and pages."""
