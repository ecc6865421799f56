"""Label vectors, the targets of the joint-embedding loss: one per class name. Numpy only.

Three sources: a `.npy` file of vectors, a GloVe text file (as for MANet: the mean of the vectors of a name's words), or
`builtin`, which needs no download. There the vector of a word is the sum of fixed random directions for its letter
n-grams and for its concepts in `CONCEPTS` (Kanerva's random indexing; n-grams as in Bojanowski et al., TACL 2017), so
that "legs" is near "leg", "scratching" near "touching", "forehead" near "head". A name is the mean of its words plus
its body part.
"""

import hashlib
import re
from pathlib import Path

import numpy as np

from mmad.errors import InputError, system_error
from mmad.labels import LabelSet

SIZE = 300  # as GloVe's
LENGTH = 5.0  # mean Euclidean length; it is 4.8 for the authors' label vectors, for which they chose the loss weight
IDLE_WORDS = ("or", "the", "of", "a", "other")
CONCEPTS = {  # {words: concepts they share beyond their letters}
    "scratching rubbing touching patting playing tidying pushing covering": "touch hand",
    "waving shaking nodding rubbing scratching patting": "to-and-fro",
    "nodding bowing": "head down",
    "head hindbrain forehead face eyes nose ears mouth hair glasses neck": "head",
    "face eyes nose mouth forehead glasses": "face",
    "body sitting rising shrugging chest back shoulder akimbo": "trunk",
    "arms hands fingers fist waving pointing gestures clenching akimbo objects": "arm",
    "hands fingers fist waving pointing objects clenching finger gestures": "hand",
    "legs leg feet tiptoe": "leg",
    "feet tiptoe": "foot",
    "stretching spreading spread": "open",
    "retracting closing curling clenching crossing": "close",
    "turning tilting": "turn",
    "movements gestures": "gesture",
}


def label_vectors(source: str, labels: LabelSet) -> np.ndarray:
    """(K, D) float32. source: "builtin", a .npy file of (K, D), or a text file of `word number ...` lines (GloVe)."""
    if source == "builtin":
        vectors = _mean_of_words(labels, _builtin_word) + 0.5 * np.stack(
            [_builtin_word(labels.parts[part]) for part in labels.part_of]
        )
        return (vectors * LENGTH / np.linalg.norm(vectors, axis=1).mean()).astype(np.float32)
    path = Path(source)
    if path.suffix.lower() == ".npy":
        return _finished(path, len(labels))
    words = {word for name in labels.actions for word in words_of(name)}
    vectors = _read_glove(path, words)
    unknown = [name for name in labels.actions if not any(word in vectors for word in words_of(name))]
    if unknown:
        raise InputError(path, f"has no word of the class {unknown[0]!r}", "is it a GloVe text file?")
    size = len(next(iter(vectors.values())))
    return _mean_of_words(labels, lambda word: vectors.get(word, np.full(size, np.nan))).astype(np.float32)


def words_of(name: str) -> list[str]:
    """The content words of a class name."""
    words = re.findall(r"[^\W\d_]+", name.lower())
    return [word for word in words if word not in IDLE_WORDS] or words or [name]


def _mean_of_words(labels: LabelSet, vector_of) -> np.ndarray:
    return np.stack([np.nanmean([vector_of(word) for word in words_of(name)], axis=0) for name in labels.actions])


def _builtin_word(word: str) -> np.ndarray:
    """Vector (SIZE,) of a word, from its letters and its concepts with about equal weight."""
    marked = f"<{word}>"
    grams = {marked[i : i + n] for n in (3, 4, 5) for i in range(len(marked) - n + 1)} or {marked}
    letters = sum(map(_direction, sorted(grams))) / np.sqrt(len(grams))
    mentioned = [concepts.split() for words, concepts in CONCEPTS.items() if word in words.split()]
    about = sorted({concept for concepts in mentioned for concept in concepts})
    return letters + 1.5 * sum((_direction(f"concept {concept}") for concept in about), np.zeros(SIZE))


def _direction(text: str) -> np.ndarray:
    """Vector (SIZE,) of -1 and 1, determined by the text alone."""
    bits = np.frombuffer(hashlib.shake_256(text.encode()).digest(-(-SIZE // 8)), dtype=np.uint8)
    return 2.0 * np.unpackbits(bits)[:SIZE] - 1.0


def _finished(path: Path, num_classes: int) -> np.ndarray:
    try:
        vectors = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise system_error(path, error) from None
    except Exception as error:  # a damaged file can fail in any of a dozen ways
        raise InputError(path, f"not a readable array ({error!r})", "is it a file that numpy.save wrote?") from None
    numbers = isinstance(vectors, np.ndarray) and vectors.dtype.kind in "fiu"
    fits = numbers and vectors.ndim == 2 and len(vectors) == num_classes and vectors.shape[1]
    if not fits or not np.isfinite(vectors).all():
        shape = getattr(vectors, "shape", "nothing")
        raise InputError(path, f"label vectors of shape {shape}", f"expected ({num_classes}, size), all finite numbers")
    return vectors.astype(np.float32)


def _read_glove(path: Path, words: set[str]) -> dict[str, np.ndarray]:
    """{word: vector (E,)} of the given words; the file may have gigabytes and is read line by line."""
    found: dict[str, np.ndarray] = {}
    number = 0
    try:
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                number += 1
                word, _, rest = line.partition(" ")
                if word not in words or word in found:
                    continue
                vector = np.array(rest.split(), dtype=np.float64)
                size = len(next(iter(found.values()), vector))
                if not np.isfinite(vector).all() or not len(vector) or len(vector) != size:
                    raise ValueError(f"{len(vector)} finite numbers expected to be {size}")
                found[word] = vector
    except UnicodeDecodeError as error:
        raise InputError(path, f"not UTF-8 text ({error.reason})", "expected `word number number ...` lines") from None
    except ValueError as error:
        raise InputError(f"{path}, line {number}", f"no word vector ({error})", "expected `word number ...`") from None
    return found
