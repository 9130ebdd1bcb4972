"""Tables in Markdown, by hand."""

from fiqa_jax.report import markdown


def test_a_table():
    assert markdown.table(("map", "n"), [("a", 1), ("b", "")]) == (
        "| map | n |\n| --- | --- |\n| a | 1 |\n| b |  |"
    )


def test_no_rows():
    assert markdown.table(("map",), []) == "| map |\n| --- |"
