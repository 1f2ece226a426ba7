"""Names and errors are shown, and do not steer the terminal."""

import io
import logging
import sys
import threading

import pytest
from rich.table import Table
from typer.testing import CliRunner

from tuner.cli import app
from tuner.last_words import DiscreetRecord, discreet
from tuner.plain_console import PlainConsole, plain

HOSTILE = "\x1b]0;owned\x07 \x1b[2J\x9b31m \u202egnp.exe"


def shown(renderable, **settings):
    console = PlainConsole(file=io.StringIO(), force_terminal=True, width=200, **settings)
    console.print(renderable, style="red", soft_wrap=True)
    return console.file.getvalue()


def test_text_keeps_its_lines_and_loses_what_steers():
    assert plain(f"a\tb\n{HOSTILE}") == "a\tb\n�]0;owned� �[2J�31m �gnp.exe"


@pytest.mark.parametrize("sequence", ["\x1b]", "\x1b[2J", "\x9b", "\u202e"])
def test_a_line_has_our_colours_and_no_other(sequence):
    text = shown(HOSTILE)

    assert text.startswith("\x1b[31m")
    assert sequence not in text


def test_a_cell_of_a_table_is_text():
    table = Table(HOSTILE)
    table.add_row(HOSTILE)

    text = shown(table)

    assert "owned" in text
    assert "\x1b]0" not in text
    assert "\x1b[2J" not in text
    assert "\u202e" not in text


@pytest.mark.parametrize("name", ["runs/[red]", "[/bold]", "[link=https://evil.example]x"])
def test_brackets_are_text_and_no_markup(name):
    table = Table(name, title=name)
    table.add_row(name)

    assert name in shown(name)
    assert shown(table).count(name) == 3


def test_an_error_of_the_command_line_is_text():
    result = CliRunner().invoke(app, ["front", f"runs/{HOSTILE}"])

    assert result.exit_code == 2
    assert "\x1b" not in result.output
    assert "owned" in result.output


def test_a_line_of_a_log_is_text_without_secrets():
    record = DiscreetRecord(
        "x", logging.WARNING, "x.py", 1, "at %s: %s", ("x://a:word@h", HOSTILE), None
    )

    assert record.getMessage().startswith("at x://a:***@h: �]0;owned")


def test_the_traceback_of_a_log_has_no_secret():
    try:
        raise KeyError("postgresql://me:word42@host")
    except KeyError:
        record = DiscreetRecord("x", logging.ERROR, "x.py", 1, "broken", None, sys.exc_info())

    line = logging.Formatter().format(record)

    assert "KeyError: 'postgresql://me:***@host'" in line


def test_a_traceback_has_no_secret(capsys, monkeypatch):
    monkeypatch.setattr(logging, "setLogRecordFactory", id)  # it would be of this process, for good
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)

    with pytest.raises(SystemExit) as ended, discreet():
        raise KeyError("postgresql://me:word42@host")

    said = capsys.readouterr().err
    assert ended.value.code == 1
    assert "KeyError" in said
    assert "postgresql://me:***@host" in said
    assert "word42" not in said


def test_a_traceback_of_a_thread_has_no_secret(capsys, monkeypatch):
    monkeypatch.setattr(logging, "setLogRecordFactory", id)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    urls = {}
    thread = threading.Thread(target=urls.pop, args=["postgresql://me:word42@host"], name="copy")

    with discreet():
        thread.start()
        thread.join()

    said = capsys.readouterr().err
    assert "Exception in thread copy" in said
    assert "KeyError: 'postgresql://me:***@host'" in said
