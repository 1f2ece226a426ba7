import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from make_records import make_config, make_record, make_results, make_search, make_study
from rich.console import Console

from tuner.analysis.results import Results
from tuner.analysis.tables import front_rows, front_table, studies_table
from tuner.pictures.front_html import front_html, tip
from tuner.records import TrialState
from tuner.reporting.gains import what_alignment_buys
from tuner.reporting.report import write_report

EVIL = "<img src=x onerror=alert(1)>\"'&</script>"
VOID = {"meta", "path", "circle"}


class Balance(HTMLParser):
    """Collects the tags of a page and those that are closed in the wrong order."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.wrong = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def report(results, path, **extra):
    return write_report(results, path, facts={"wall time": "1 h", **extra}).read_text()


def text_of(html):
    """What a reader sees of a page, spaces made single."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def pages(results, tmp_path, **extra):
    return [front_html(results), report(results, tmp_path / "report.html", **extra)]


def printed(table, width=160):
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(table)
    return console.export_text()


@pytest.mark.parametrize("results", [make_search(), make_results()], ids=["search", "empty"])
def test_pages_load_nothing_and_are_well_formed(results, tmp_path):
    for page in pages(results, tmp_path):
        parsed = Balance(page)

        attributes = {name for _, attrs in parsed.tags for name in attrs}
        assert not re.search(r"https?:|url\(|@import|//[a-z]", page)
        assert not attributes & {"src", "href", "srcset", "action"}
        assert (parsed.wrong, parsed.open) == ([], [])


def test_names_reasons_and_facts_cannot_become_markup(tmp_path):
    config = make_config()
    config["student"]["architecture"] = EVIL
    records = [
        make_record(0, 0.9, 0.4, label=EVIL, teacher=EVIL, config=config),
        make_record(1, 0.8, 0.5, label=EVIL, teacher=EVIL),
        make_record(2, state=TrialState.failed, reason=EVIL, teacher=EVIL),
        make_record(3, state=TrialState.stopped, reason=EVIL),
    ]
    results = Results(make_study(description=EVIL, search_space=EVIL), records)

    for page in pages(results, tmp_path, **{EVIL: EVIL}):
        parsed = Balance(page)
        assert "<img" not in page
        assert page.count("<script>") == page.count("</script>") == 1
        assert (parsed.wrong, parsed.open) == ([], [])


def test_every_mark_has_a_row_to_go_to():
    tags = Balance(front_html(make_search())).tags

    marks = {a["data-trial"] for tag, a in tags if tag == "g" and "data-trial" in a}
    rows = {a["id"].removeprefix("trial-") for tag, a in tags if tag == "tr" and "id" in a}
    assert marks
    assert marks <= rows
    assert len(rows) == len(make_search().complete)


def test_the_hover_text_says_how_a_trial_was_made():
    config = make_config(alpha=2.0, gamma=0.5)
    results = Results(make_study(), [make_record(7, 0.9, 0.4, config=config)])

    assert tip(results, results.knee).splitlines() == [
        "trial 7, searched",
        "90.0 % clean accuracy, 40.0 % robust accuracy",
        "wide > small_resnet8",
        "method adversarial_training",
        "alpha 2, gamma 0.5",
        "temperature 1",
        "on the front",
    ]


def test_the_report_says_what_failed_and_how_to_repeat_it(tmp_path):
    text = report(make_search(), tmp_path / "report.html")

    assert "loss is not finite in epoch 3: nan" in text
    folder = tmp_path.as_posix()  # not runs/digits-small, where the study would begin anew
    assert f"tuner run {folder}/study.yaml --directory {folder}" in text
    assert "margin PGD-20, step 0.25 epsilon, Linf epsilon 0.15" in text
    assert "on 360 validation images" in text


def test_the_report_says_that_its_numbers_are_not_verified_and_what_verifies_them(tmp_path):
    text = text_of(report(make_search(), tmp_path / "report.html"))

    assert "Not verified. These are validation numbers" in text
    assert f"tuner verify {tmp_path.as_posix()}" in text


def test_a_verification_takes_the_place_of_the_warning(tmp_path):
    path = tmp_path / "report.html"

    text = write_report(make_search(), path, facts={}, verification="<p>AA 41.0</p>").read_text()

    assert "<h3>Verified</h3><p>AA 41.0</p>" in text
    assert "Not verified" not in text


def test_the_report_says_how_much_went_into_trials_without_a_result(tmp_path):
    records = [
        timed(make_record(0, 0.9, 0.4), 7200.0),
        timed(make_record(1, 0.5, 0.1, state=TrialState.stopped, reason="rank 5 of 9"), 1800.0),
        make_record(2, state=TrialState.failed, reason="diverged: nan"),
    ]

    text = text_of(report(Results(make_study(), records), tmp_path / "report.html"))

    assert "complete 1 1 2 80 % stopped early 1 1 0.5 20 % failed 1 0 0 0 % all 3 2 2.5" in text


def timed(record, seconds):
    return replace(record, reports=tuple({**r, "cost/seconds": seconds} for r in record.reports))


def test_the_report_shows_which_parameter_matters_or_why_nobody_knows(tmp_path):
    few = report(make_results((0.9, 0.4)), tmp_path / "few.html")
    records = [
        replace(make_record(i, 0.9 - 0.01 * i, 0.4), params={"alignments/gram/weight": 0.1 * i})
        for i in range(1, 13)
    ]
    enough = report(Results(make_study(), records), tmp_path / "enough.html")

    assert "importance needs at least 8 complete searched trials" in text_of(few)
    assert "alignments/gram/weight 100 % 0 %" in text_of(enough)


def test_the_report_names_the_machines_that_trained(tmp_path):
    for number, chip in enumerate(("x86_64", "NVIDIA H200", "NVIDIA H200")):
        place = tmp_path / "study" / "trials" / f"{number:04d}" / "machine.json"
        place.parent.mkdir(parents=True)
        place.write_text(json.dumps({"device": "cuda", "chip": chip, "torch": "2.15"}))

    path = write_report(make_search(), tmp_path / "page.html", facts={}, folder=tmp_path / "study")

    text = text_of(path.read_text())
    assert "cuda, NVIDIA H200, torch 2.15 (2 trials); cuda, x86_64, torch 2.15 (1 trials)" in text
    assert f"tuner export {(tmp_path / 'study').as_posix()} --pick knee" in text


def test_the_whole_study_file_is_folded_into_the_report(tmp_path):
    text = report(make_search(), tmp_path / "report.html")

    assert "<summary>the whole study file</summary><pre>name: digits-small" in text


def test_an_outlier_does_not_flatten_the_pictures_of_the_weights(tmp_path):
    points = [(0.95 - 0.001 * i, 0.4 - 0.001 * i) for i in range(10)]
    values = [*points, (0.1, 0.0)]
    records = [
        make_record(i, *point, config=make_config(alpha=0.1 * (i + 1)))
        for i, point in enumerate(values)
    ]

    text = report(Results(make_study(), records), tmp_path / "report.html")

    assert "clean accuracy against alpha (1 weak trial outside)" in text


def test_the_report_gives_wilson_intervals(tmp_path):
    text = report(make_results((0.9, 0.5)), tmp_path / "report.html")

    assert "<small>86.5 to 92.7</small>" in text  # 324 of 360


def test_without_the_number_of_images_there_are_no_intervals(tmp_path):
    results = Results(make_study(), [make_record(0, 0.9, 0.5, images=None)])

    text = report(results, tmp_path / "report.html")

    assert "<small></small>" in text
    assert "Accuracy on the validation split" in text


def test_what_alignment_buys_names_gains_and_losses():
    records = [
        make_record(0, 0.90, 0.60),
        make_record(1, 0.92, 0.40, label="L_AT only"),
        make_record(2, 0.85, 0.10, label="plain KD"),
    ]

    assert what_alignment_buys(Results(make_study(), records)) == (
        "The knee of the searched trials of small_resnet8 is trial 0 "
        "(90.0 % clean accuracy, 60.0 % robust accuracy). "
        "Against L_AT only (trial 1) it gains 20.0 points of robust accuracy and loses 2.0 "
        "points of clean accuracy (intervals overlap); no searched trial of this student is better "
        "there without being worse elsewhere. "
        "Against plain KD (trial 2) it gains 5.0 points of clean accuracy (intervals overlap) and "
        "50.0 points of robust accuracy; without losing anything elsewhere the search gains up to "
        "5.0 points of clean accuracy (trial 0, intervals overlap) or 50.0 points of robust "
        "accuracy (trial 0)."
    )


def test_what_is_gained_without_loss_is_marked_where_it_may_be_chance(tmp_path):
    records = [make_record(0, 0.90, 0.60), make_record(1, 0.88, 0.40, label="L_AT only")]
    results = Results(make_study(), records)

    page = write_report(results, tmp_path / "report.html", facts={}).read_text()

    assert ">~ +2.0 points (trial 0)<" in page
    assert ">+20.0 points (trial 0)<" in page


def test_what_alignment_buys_is_not_claimed_without_a_baseline():
    assert "is not known" in what_alignment_buys(make_results((0.9, 0.4)))
    assert "is not known" in what_alignment_buys(make_results())


def test_the_table_shows_a_baseline_that_the_search_has_not_beaten():
    records = [make_record(0, 0.9, 0.4), make_record(1, 0.95, 0.45, label="L_AT only")]

    text = printed(front_table(Results(make_study(), records)))

    assert text.count("L_AT only, knee") == 2


def test_markup_in_a_name_is_printed_and_not_obeyed():
    text = printed(
        front_table(Results(make_study(), [make_record(0, 0.9, 0.4, label="[red]x[/red]")]))
    )

    assert "[red]x[/red]" in text


def test_rows_hold_json_types_and_exact_values():
    config = make_config(alpha=2.5)
    results = Results(make_study(), [make_record(0, 0.9123, 0.4, config=config)])

    (row,) = front_rows(results)

    assert (row["val/clean_accuracy"], row["alpha"], row["beta"]) == (0.9123, 2.5, 0.0)
    assert (row["images"], row["parameters"], row["temperature"]) == (360, 78042, 1.0)


def test_the_table_of_studies_holds_empty_ones_too():
    text = printed(studies_table({"one": make_search(), "two": make_results()}))

    assert "46 of 52" in text
    assert "0 of 30" in text


def test_what_is_counted_are_configs_where_a_config_has_several_seeds(tmp_path):
    points = [(0.9, 0.3), (0.8, 0.4), (0.7, 0.5)]
    pages = {
        seeds: write_report(
            make_results(*points, replicates=seeds), tmp_path / f"{seeds}.html", facts={}
        ).read_text()
        for seeds in (1, 2)
    }

    assert "hypervolume against the number of complete trials<" in pages[1]
    assert "hypervolume against the number of complete configs, each by" in pages[2]
