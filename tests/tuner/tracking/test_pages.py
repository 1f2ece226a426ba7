"""Addresses of MLflow's pages, and what an old server gets instead."""

import json
from urllib.parse import parse_qs, unquote

import pytest

from tuner.tracking.client import server_version
from tuner.tracking.pages import (
    MOST_COMPARED,
    Pages,
    compare_url,
    lack_of_views,
    trials_url,
    view_url,
)

BASE = "http://127.0.0.1:5000/"


def test_every_address_names_the_kind_of_work():
    addresses = [
        view_url(BASE, "1", "abc", kind="front"),
        trials_url(BASE, "1", "abc"),
        compare_url(BASE, "1", ["a", "b"]),
    ]

    assert all("workflowType=machine_learning" in address for address in addresses)


def test_runs_are_compared_in_the_order_given():
    address = compare_url(BASE, "7", ["b", "a"])

    page, _, query = address.partition("?")
    assert page == f"{BASE}#/compare-runs"
    assert parse_qs(query)["runs"] == ['["b","a"]']
    assert parse_qs(query)["experiments"] == ['["7"]']


def test_of_many_runs_both_ends_and_some_between_are_compared():
    runs = [f"run{number}" for number in range(100)]

    compared = json.loads(parse_qs(compare_url(BASE, "1", runs).partition("?")[2])["runs"][0])

    assert len(set(compared)) == MOST_COMPARED
    assert compared[0] == "run0"
    assert compared[-1] == "run99"


@pytest.mark.parametrize("runs", [[], ["a"]])
def test_fewer_than_two_runs_are_not_compared(runs):
    assert compare_url(BASE, "1", runs) == ""


@pytest.mark.parametrize(
    ("version", "lacks"),
    [
        ("3.15.0", ""),
        ("3.17.2", ""),
        ("4.0.0rc1", ""),
        ("3.14.9", "the server has 3.14.9"),
        ("2.22.0", "the server has 2.22.0"),
        ("", "the server does not say its version"),
        ("<html>", "the server has <html>"),
    ],
)
def test_views_are_expected_from_the_version_on_that_has_them(version, lacks):
    remark = lack_of_views(version)

    assert bool(remark) == bool(lacks)
    assert lacks in remark


def test_a_database_is_shown_by_our_own_version_and_a_dead_server_says_nothing():
    assert lack_of_views(server_version("sqlite:////nowhere/mlflow.db")) == ""
    assert server_version("http://127.0.0.1:9") == ""


def test_the_table_for_old_servers_has_the_front_first():
    address = unquote(trials_url(BASE, "1", "abc"))

    assert "tags.`mlflow.parentRunId` = 'abc' AND attributes.status = 'FINISHED'" in address
    assert "orderByKey=metrics.`pareto/rank`&orderByAsc=true" in address


def test_links_are_printed_in_the_order_a_person_wants_them_without_empty_ones():
    assert Pages("f", "c", "s").lines == ["front:   f", "compare: c", "study:   s"]
    assert Pages("f", "", "s", "views need more").lines == [
        "front:   f",
        "study:   s",
        "views need more",
    ]
