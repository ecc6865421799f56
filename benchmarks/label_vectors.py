"""Which classes the built-in label vectors place together, and how far the authors' GloVe vectors agree.

python benchmarks/label_vectors.py label_vectors_glove.npy
"""

import argparse

import numpy as np
from scipy.stats import spearmanr

from mmad.data.label_vectors import label_vectors
from mmad.errors import run_command
from mmad.labels import MMA52


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("glove", metavar="FILE", help="(52, 300) .npy of the authors")
    args = parser.parse_args()
    pairs = np.triu_indices(len(MMA52), 1)
    built_in, theirs = (cosines(label_vectors(source, MMA52)) for source in ("builtin", args.glove))
    print(f"rank correlation of the {len(pairs[0])} cosines: {spearmanr(built_in[pairs], theirs[pairs])[0]:.2f}")
    parts = np.array(MMA52.part_of)
    for name, cosine in (("built in", built_in), ("GloVe", theirs)):
        nearest = np.argmax(cosine - 2 * np.eye(len(cosine)), axis=1)
        within = np.mean(parts[nearest] == parts)
        print(f"{name}: the nearest class is of the same body part for {100 * within:.0f} %; nearest pairs:")
        best = np.argsort(-cosine[pairs])[:8]
        for i, j in zip(pairs[0][best], pairs[1][best]):
            print(f"    {cosine[i, j]:.2f}  {MMA52.actions[i]} - {MMA52.actions[j]}")


def cosines(vectors: np.ndarray) -> np.ndarray:
    """(K, K) of vectors (K, E), after their common mean is taken away."""
    centred = vectors - vectors.mean(axis=0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    return unit @ unit.T


if __name__ == "__main__":
    run_command(main)
