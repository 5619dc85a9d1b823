"""The log of a service: one object a line, and nothing of what somebody sent."""

import json
import logging

import pytest

from tests.cast import BOREALIS
from tracking import logs


def test_a_fault_is_told_by_kind_and_place_and_never_by_what_was_sent(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    logs.begin(logging.WARNING)
    try:
        int(BOREALIS)
        raise ValueError(f"no company has {BOREALIS}")
    except ValueError:
        logging.getLogger("tracking.example").exception("a page failed")
    logging.getLogger("tracking.example").info("too small to be told")
    (line,) = capsys.readouterr().err.splitlines()
    entry = json.loads(line)
    assert (entry["level"], entry["logger"], entry["message"]) == (
        "error",
        "tracking.example",
        "a page failed",
    )
    assert entry["error"] == "ValueError"
    assert entry["at"].startswith("test_logs.py:")
    assert BOREALIS.strip("+") not in line


def test_a_terminal_gets_text_and_nothing_that_it_obeys(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    logs.begin(logging.WARNING)
    logging.getLogger("tracking.example").error("refused %s", "/a\x1b]0;owned\x07\n2026-03-01 all is well")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("refused /a\\x1b]0;owned\\x07\\n2026-03-01 all is well")
    try:
        int(BOREALIS + "x")
    except ValueError:
        logging.getLogger("tracking.example").exception("a page failed")
    said, fault = capsys.readouterr().err.splitlines()
    assert said.endswith("a page failed")
    assert fault.startswith("ValueError at test_logs.py:")
