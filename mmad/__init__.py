"""mmad: multi-label temporal detection of micro-actions in video.

video -> frames -> FeatureTrack -> Batch -> DetectorOutput -> Detections -> predictions.json -> ApReport -> report
"""

__version__ = "0.1.0"
