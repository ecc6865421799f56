"""Judging; numpy only."""
