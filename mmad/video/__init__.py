"""Pictures in: which videos, which frames, and how a frame becomes network input."""
