"""Formulas: free functions on tensors, without state."""
