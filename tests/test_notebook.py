"""docs/notebook.ipynb: what it shows is what it says, and it runs.

Make its outputs anew, after pip install "mmad[notebook,pose,render]":
jupyter nbconvert --to notebook --execute --inplace docs/notebook.ipynb
"""

import json
from pathlib import Path

import matplotlib
import pytest

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebook.ipynb"


@pytest.fixture(scope="module")
def cells() -> list[dict]:
    content = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return [cell for cell in content["cells"] if cell["cell_type"] == "code"]


def test_its_cells_were_executed_in_order(cells):
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert {output["output_type"] for output in outputs} <= {"execute_result", "display_data"}  # no errors, no warnings
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 2
    assert NOTEBOOK.stat().st_size < 150_000


def test_it_runs(cells, tmp_path, monkeypatch):
    pytest.importorskip("anny", reason='renders people: pip install "mmad[render]"')
    pytest.importorskip("pandas", reason='shows tables: pip install "mmad[notebook]"')
    from matplotlib import pyplot

    matplotlib.use("agg")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    try:
        for cell in cells:
            exec(compile("".join(cell["source"]), f"cell {cell['execution_count']}", "exec"), names)
    finally:
        pyplot.close("all")
    assert list(tmp_path.iterdir()) == []
    truth = names["held_out"][2].timeline.annotation()
    best = names["detections"].to_dataframe()["class"].iloc[0]
    assert names["mmad"].MMA52.index[best] in truth.labels
    assert 0.2 < names["report"].average() == pytest.approx(names["history"]["score"].max())
