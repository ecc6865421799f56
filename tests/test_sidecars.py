import json

import pytest

from mmad.errors import InputError
from mmad.sidecars import is_same_video, read_finished, video_of


def test_results_of_the_same_source_are_found(tmp_path):
    assert read_finished(tmp_path, "v", "net/1") is None
    content = {"source": "net/1", "video": {"size": 3, "digest": "ab"}}
    (tmp_path / "v.json").write_text(json.dumps(content))
    assert read_finished(tmp_path, "v", "net/1") == content
    with pytest.raises(InputError, match=r"v\.json: was made with other weights or settings \(net/1, now net/2\)"):
        read_finished(tmp_path, "v", "net/2")


@pytest.mark.parametrize("content", [[], {}, {"source": 7}])
def test_sidecars_of_other_programs_are_refused(tmp_path, content):
    (tmp_path / "v.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="was made with other weights"):
        read_finished(tmp_path, "v", "net/1")


def test_a_video_is_the_same_if_all_of_its_identity_is():
    identity = {"size": 3, "digest": "ab"}
    assert is_same_video({"video": {**identity, "file": "a.mp4"}}, identity)
    assert not is_same_video({"video": {"size": 3, "digest": "other"}}, identity)
    assert not is_same_video({"video": {"size": 3}}, identity) and not is_same_video({"video": "a.mp4"}, identity)
    assert video_of({"video": "a.mp4"}) == {}
