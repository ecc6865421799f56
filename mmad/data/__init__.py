"""What is learned from: features on disk, data sets of features, of clips and of poses."""
