"""mmad: multi-label temporal detection of micro-actions in video.

video -> frames -> FeatureTrack -> Batch -> DetectorOutput -> Detections -> predictions.json -> ApReport -> report
"""

__version__ = "0.1.0"


def __getattr__(name: str):
    """`mmad.load_pipeline`, imported when it is asked for: `import mmad` needs no torch."""
    if name == "load_pipeline":
        from mmad.engine.infer import load_pipeline

        return load_pipeline
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
