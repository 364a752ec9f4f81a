"""A record's seal is that of its text, however it is verified."""

import json

from hypothesis import given
from hypothesis import strategies as st

from tuneatlas.engine.records import dump, is_sealed

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
RECORDS = st.dictionaries(st.text(max_size=4).filter(lambda key: key != "seal"), VALUES)


@given(RECORDS, st.data())
def test_what_was_written_is_sealed_and_what_was_edited_is_not(record: dict, data: st.DataObject):
    text = dump(record)
    assert is_sealed(text, json.loads(text))
    place = data.draw(st.integers(0, len(text) - 1))
    edited = text[:place] + data.draw(st.sampled_from("0a ,\n")) + text[place + 1 :]
    try:
        found = json.loads(edited)
    except ValueError:
        return
    if edited != text and isinstance(found, dict):
        assert not is_sealed(edited, found)


@given(RECORDS)
def test_a_record_that_got_more_parts_later_is_sealed_by_its_new_text(record: dict):
    again = json.loads(dump(record)) | {"accepted": [1]}
    text = dump(again)
    assert is_sealed(text, json.loads(text))
    assert not is_sealed(text.replace('"accepted"', '"taken"'), json.loads(text))
    assert not is_sealed(json.dumps(json.loads(text)), json.loads(text))
