"""Errors of tables: the message, the settings it speaks of, and other words for these."""

import pickle

from input_pipeline.tables.table_error import PATH, Setting, TableError, given

ERROR = TableError(f"a.csv: no such file; {PATH} a table, or {Setting('data.on_bad')}=skip")


def test_a_message_names_settings_as_flags_of_a_training():
    assert str(ERROR) == (
        "a.csv: no such file; set --config.data.path to a table, or --config.data.on_bad=skip"
    )
    assert str(TableError(f"drops by {Setting('data.codes', '{name}')}")) == "drops by data.codes"


def test_settings_are_known_by_name_and_said_in_other_words():
    assert ERROR.settings == {"data.path", "data.on_bad"}
    assert ERROR.worded(given) == "a.csv: no such file; give a table, or --config.data.on_bad=skip"
    # The rest of the message is not looked through: a file may be called like a setting.
    error = TableError(f"set --config.data.path to.csv: no such file; {PATH} a table")
    assert error.worded(given) == "set --config.data.path to.csv: no such file; give a table"


def test_another_command_names_its_own_flags():
    worded = ERROR.worded(lambda setting: setting.called(setting.name.replace("data.", "--")))
    assert worded == "a.csv: no such file; set --path to a table, or --on_bad=skip"


def test_words_around_an_error_leave_its_settings():
    error = ERROR.within("stage 'a': ", "!")
    assert str(error) == f"stage 'a': {ERROR}!"
    assert error.settings == ERROR.settings


def test_an_error_crosses_processes():
    assert str(pickle.loads(pickle.dumps(ERROR))) == str(ERROR)
