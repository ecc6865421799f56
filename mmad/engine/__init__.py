"""Running: videos to features, features to detections, training."""
