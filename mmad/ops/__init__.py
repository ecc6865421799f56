"""Formulas: free functions on tensors, no state."""
