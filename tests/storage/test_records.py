"""Records are read whole, or an error names the file and says what to do."""

import pytest

from input_pipeline import records
from input_pipeline.sums import DamageError


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b'{"a": ', "Expecting value"),
        (b"[1]", "no object"),
        (b"\x80\x80", "utf"),
        (b"", "Expecting value"),
    ],
)
def test_damage_names_the_file_and_what_to_do(tmp_path, content, why):
    file = tmp_path / "stage.json"
    file.write_bytes(content)
    for read in (records.read, records.read_if_there):
        with pytest.raises(DamageError, match=rf"stage\.json is damaged \(.*{why}.*\); run it"):
            read(file, "run it again")
        with pytest.raises(KeyError, match="is damaged"):
            read(file, error=KeyError)


def test_an_object_is_read_and_absence_is_told_apart(tmp_path):
    file = tmp_path / "stage.json"
    with pytest.raises(FileNotFoundError):
        records.read(file)
    assert records.read_if_there(file) == {}
    file.write_text('{"a": [1, null]}')
    assert records.read(file) == records.read_if_there(file) == {"a": [1, None]}
