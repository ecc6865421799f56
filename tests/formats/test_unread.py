import pytest
from made_annotations import write

from mmad.errors import InputError
from mmad.formats import read_events

SIMBA = "nose_x,nose_y,nose_p,tail_x,tail_y,tail_p,attack\n1,2,0.5,1,2,0.5,0\n"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.xlsx", "PK", "is an Excel workbook, which is not read; save the sheet as CSV UTF-8"),
        ("a.odf", "", "is an event log of Observer XT, which is not read; export the event log from Observer to Excel"),
        ("a.csb", "", "is a coding sheet of Solomon Coder, which is not read; export it as CSV in Solomon"),
        (
            "a.csv",
            ",background,nodding\n0,1,0\n",
            "has a row for each frame, as DeepEthogram writes it, which is not read",
        ),
        (
            "a.csv",
            SIMBA,
            "has a row for each frame, as SimBA writes it, which is not read; join the rows of each action",
        ),
    ],
)
def test_what_is_not_read_is_named_with_the_way_out(tmp_path, name, text, said):
    with pytest.raises(InputError) as error:
        read_events(write(tmp_path, name, text))
    assert said in str(error.value)
