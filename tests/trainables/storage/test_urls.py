import pytest

from trainables.storage.urls import below, completed, is_url, name_of, parent, place_of, shown, tidy


@pytest.fixture(autouse=True)
def no_cloud(monkeypatch):
    names = ("ENDPOINT_URL", "ENDPOINT_URL_S3", "REGION", "DEFAULT_REGION")
    for name in names:
        monkeypatch.delenv(f"AWS_{name}", raising=False)


def test_what_has_a_scheme_is_a_url():
    assert is_url("s3://bucket/runs/x")
    assert not is_url("runs/x")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://host/x", "must begin with one of file://, gs://, s3://, got http://"),
        ("s3://bucket", "must name a folder below a bucket"),
        ("s3://bucket/", "must name a folder below a bucket"),
        ("s3:///x", "must name a folder below a bucket"),
        ("s3://bucket/a//b", "without empty parts"),
        ("s3://bucket/a/../b", "without empty parts, . and .."),
        ("file://host/x", "must name a folder below a bucket"),
        ("s3://bucket/x?max_attempts=9", "unknown option 'max_attempts'; known: endpoint_override"),
        ("s3://key:hunter2@bucket/x", "s3://bucket/x must not hold credentials"),
        ("s3://${BUCKET}/x", "names a variable, which is read in storage and tracking.uri alone"),
        ("s3://bucket/x?secret_key=hunter2", "unknown option 'secret_key'"),
        (
            "s3://bucket/x?endpoint_override=key:hunter2@host:9000",
            "must not hold credentials in endpoint_override",
        ),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_in_a_sentence_without_its_secrets(url, sentence):
    with pytest.raises(ValueError, match=r"^URL ") as caught:
        completed(url)

    assert sentence in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_the_environment_says_where_the_server_is(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://10.0.0.3:9000")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")

    url = completed("s3://bucket/runs/x/")

    assert url == (
        "s3://bucket/runs/x?endpoint_override=10.0.0.3:9000&region=eu-north-1&scheme=http"
    )


@pytest.mark.parametrize("endpoint", ["10.0.0.3:9000", "localhost", "http://me:hunter2@host:9000"])
def test_an_address_of_the_server_that_means_another_one_is_refused(monkeypatch, endpoint):
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)

    with pytest.raises(ValueError, match=r"^AWS_ENDPOINT_URL must be http://HOST") as caught:
        completed("s3://bucket/runs/x")

    assert "hunter2" not in str(caught.value)


def test_a_slash_at_the_end_stands_before_the_options():
    assert tidy("s3://bucket/runs/?region=here") == "s3://bucket/runs?region=here"
    assert tidy("file:///runs/x/") == "file:///runs/x"


def test_what_the_url_says_counts_more(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://10.0.0.3:9000")
    own = "s3://bucket/x?endpoint_override=storage:80&region=here&scheme=https"

    assert completed(own) == own


def test_a_server_of_ones_own_needs_no_region():
    url = completed("s3://bucket/x?endpoint_override=storage:80")

    assert url.endswith("&region=us-east-1")


def test_a_completed_url_stays_as_it_is():
    url = completed("s3://bucket/x?endpoint_override=storage:80")

    assert completed(url) == url


@pytest.mark.parametrize("start", ["s3://bucket/runs", "file:///runs"])
def test_neighbours_keep_the_options(start):
    url = f"{start}/x?region=here"

    assert below(url, "trials/0001") == f"{start}/x/trials/0001?region=here"
    assert parent(url) == f"{start}?region=here"
    assert name_of(url) == "x"
    assert place_of(url)[1].endswith("runs/x")


def test_nothing_secret_is_shown():
    text = shown("s3://key:hunter2@bucket/x?access_key=hunter2&region=here")

    assert text == "s3://bucket/x?region=here"
