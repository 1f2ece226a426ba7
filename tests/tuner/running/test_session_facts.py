import re

from tuner.exporting.made_with import commit
from tuner.running.session_facts import commit_in_words, facts_now, keep_facts, kept_facts
from tuner.running.usage import Usage
from tuner.storage.directory import StudyDirectory


def test_what_a_session_was_is_kept_for_later_reports(tmp_path):
    directory = StudyDirectory(tmp_path)
    with Usage() as usage:
        facts = facts_now(usage)

    keep_facts(directory, facts)

    assert kept_facts(directory) == facts
    assert "torch" in facts["versions"]
    assert facts["wall time of the last session"] == "0:00:00"


def test_where_no_session_wrote_facts_there_are_none(tmp_path):
    assert kept_facts(StudyDirectory(tmp_path)) == {}


def test_the_commit_is_named():
    assert re.match(r"[0-9a-f]{12}\b", commit_in_words())


def test_where_there_is_no_git_the_commit_is_not_made_up(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    commit.cache_clear()

    found = commit_in_words()

    commit.cache_clear()
    assert found == "not a git checkout"
