import builtins
import errno
import os
from pathlib import Path

import numpy as np
import pytest

from mmad.data.label_vectors import label_vectors, words_of
from mmad.errors import InputError
from mmad.labels import MMA52, LabelSet

THREE = LabelSet("three", ("nodding", "scratching or touching chin", "eating 2 apples"), ("head", "other"), (0, 0, 1))


def cosines(vectors: np.ndarray) -> np.ndarray:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit @ unit.T


def test_built_in_vectors_place_near_synonyms_close_together():
    vectors = label_vectors("builtin", MMA52)
    assert (vectors.shape, vectors.dtype) == ((52, 300), np.float32)
    near = cosines(vectors)
    for one, other, far in (
        ("touching legs", "patting legs", "touching nose"),
        ("touching legs", "scratching legs", "shaking legs"),
        ("covering face", "covering mouth", "scratching or touching chest"),
        ("turning head", "tilting head", "turning around"),
        ("nodding", "bowing head", "waving"),
        ("scratching or touching face", "scratching or touching forehead", "scratching or touching back"),
        ("stretching feet", "retracting feet", "stretching arms"),
        ("rubbing hands", "hands touching fingers", "rubbing eyes"),
    ):
        assert near[MMA52.index[one], MMA52.index[other]] > near[MMA52.index[one], MMA52.index[far]] + 0.1
    part = np.array(MMA52.part_of)
    same = (part[:, None] == part) & ~np.eye(52, dtype=bool)
    assert near[same].mean() > near[part[:, None] != part].mean() + 0.4
    assert (near[~np.eye(52, dtype=bool)] < 0.99).all()  # no two classes are one


def test_built_in_vectors_never_change():
    vectors = label_vectors("builtin", MMA52)
    assert np.linalg.norm(vectors, axis=1).mean() == pytest.approx(5.0, rel=1e-5)
    assert vectors[9, :3] == pytest.approx([-0.71146, -0.19359, 0.23557], abs=1e-4)


def test_labels_of_any_other_set_have_vectors_too():
    vectors = label_vectors("builtin", THREE)
    assert vectors.shape == (3, 300) and np.isfinite(vectors).all()


@pytest.mark.shared
def test_built_in_vectors_resemble_those_of_glove(shared):
    from scipy.stats import spearmanr

    glove = label_vectors(str(shared / "data" / "ma52" / "label_vectors_glove.npy"), MMA52)
    above = np.triu_indices(52, 1)
    centred = [vectors - vectors.mean(axis=0) for vectors in (label_vectors("builtin", MMA52), glove)]
    assert spearmanr(*(cosines(vectors)[above] for vectors in centred)).statistic > 0.4


def test_glove_text_gives_the_mean_of_the_words_it_knows(tmp_path):
    path = tmp_path / "glove.txt"
    path.write_text("the 9 9\nnodding 1 2\nscratching 0 4\ntouching 2 0\neating 1 1\napples 3 5\n", encoding="utf-8")
    assert label_vectors(str(path), THREE).tolist() == [[1, 2], [1, 2], [2, 3]]


def test_words():
    assert words_of("scratching or touching neck") == ["scratching", "touching", "neck"]
    assert words_of("42") == ["42"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"nodding 1 2\n", "no word of the class 'scratching or touching chin'"),
        (b"nodding 1 2\ntouching 1\n", "line 2: no word vector"),
        (b"nodding one two\n", "line 1: no word vector"),
        (b"nodding nan 2\n", "line 1: no word vector"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"", "no word of the class 'nodding'"),
    ],
)
def test_damaged_glove_text_is_refused(tmp_path, content, said):
    (tmp_path / "g.txt").write_bytes(content)
    with pytest.raises(InputError, match=said):
        label_vectors(str(tmp_path / "g.txt"), THREE)


@pytest.mark.parametrize("shape", [(2, 300), (3,), (3, 0)])
def test_vectors_of_another_shape_are_refused(tmp_path, shape):
    np.save(tmp_path / "v.npy", np.zeros(shape, np.float32))
    with pytest.raises(InputError, match=r"expected \(3, size\)"):
        label_vectors(str(tmp_path / "v.npy"), THREE)


def test_finished_vectors_come_back(tmp_path):
    vectors = np.arange(6, dtype=np.float32).reshape(3, 2)
    np.save(tmp_path / "v.npy", vectors)
    assert (label_vectors(os.fspath(Path(tmp_path / "v.npy")), THREE) == vectors).all()


def test_what_the_system_says_of_a_file_is_no_reason_to_make_it_again(tmp_path, monkeypatch):
    path = tmp_path / "vectors.npy"
    np.save(path, np.zeros((52, 3)))

    def refused(*args, **kwargs):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), str(path))

    monkeypatch.setattr(builtins, "open", refused)
    with pytest.raises(InputError, match=r"vectors\.npy: Too many open files; .*ulimit -n") as caught:
        label_vectors(str(path), MMA52)
    assert "make it again" not in str(caught.value)
