"""mmad: multi-label temporal detection of micro-actions in video.

By pixels: video -> frames -> backbone -> FeatureTrack -> detector -> Detections -> predictions.json -> ApReport, report
By joints: video -> pose estimator -> LandmarkTrack -> pose network -> FeatureTrack, and from there on the same

The names below are used as `mmad.NAME`. Each is imported when it is first asked for: `import mmad` needs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for editors, which do not run __getattr__
    from mmad.config import DetectionConfig
    from mmad.data.feature_dataset import FeatureDataset
    from mmad.engine.fit_detector import fit_detector
    from mmad.engine.infer import load_pipeline
    from mmad.labels import MMA52, LabelSet
    from mmad.records import Annotation, ApReport, Detections, FeatureTrack, LandmarkTrack, TimeGrid
    from mmad.report.timeline import plot_timeline

__version__ = "0.1.0"
__all__ = [
    "Annotation",
    "ApReport",
    "DetectionConfig",
    "Detections",
    "FeatureDataset",
    "FeatureTrack",
    "LabelSet",
    "LandmarkTrack",
    "MMA52",
    "TimeGrid",
    "fit_detector",
    "load_pipeline",
    "plot_timeline",
]

_MODULE_OF = {
    **dict.fromkeys(["Annotation", "ApReport", "Detections", "FeatureTrack", "LandmarkTrack", "TimeGrid"], "records"),
    **dict.fromkeys(["LabelSet", "MMA52"], "labels"),
    "DetectionConfig": "config",
    "FeatureDataset": "data.feature_dataset",
    "fit_detector": "engine.fit_detector",
    "load_pipeline": "engine.infer",
    "plot_timeline": "report.timeline",
}


def __getattr__(name: str):
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
