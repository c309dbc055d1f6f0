from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from settings import CONFIG_FILE, FIELDS, InvalidSettings, Settings, load_settings, parse_age
from warehouse.expectations import Tuning

NOWHERE = Path("no-such-folder") / CONFIG_FILE
TOKEN = "ghx_" + "A1b2" * 9


def problems_of(flags=None, environ=None, config_file=NOWHERE):
    """Every problem these settings have."""
    with pytest.raises(InvalidSettings) as caught:
        load_settings(flags or {}, environ or {}, config_file)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems


def config(folder, text):
    """A packhouse.toml with this text."""
    path = folder / CONFIG_FILE
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_defaults():
    """With nothing set, every value is its documented default and says so."""
    found = load_settings({}, {}, NOWHERE)
    assert (found.data, found.catalog, found.time_zone) == (Path("data"), Path("catalog"), ZoneInfo("America/New_York"))
    assert (found.concurrency, found.max_age, found.github_points_per_minute) == (16, timedelta(hours=20), 900)
    assert found.github_token is found.base_url is found.contact is None
    assert found.origins["data"] == "default"
    assert found.origins["github_token"] == "not set"  # noqa: S105 - where it came from, not a token


def test_flags_before_environment_before_file_before_default(tmp_path):
    """The strongest source wins, and each value says which one it was."""
    path = config(tmp_path, 'data = "file"\ncatalog = "file"\nconcurrency = 3\ntime_zone = "UTC"\n')
    environ = {"PACKHOUSE_DATA": "environment", "PACKHOUSE_CATALOG": "environment", "PACKHOUSE_TIME_ZONE": ""}
    found = load_settings({"data": "flag", "catalog": None, "concurrency": ""}, environ, path)
    assert (found.data, found.catalog, found.concurrency) == (Path("flag"), Path("environment"), 3)
    assert found.time_zone == ZoneInfo("UTC")
    assert {name: found.origins[name] for name in ("data", "catalog", "concurrency", "time_zone", "max_age")} == {
        "data": "--data",
        "catalog": "PACKHOUSE_CATALOG",
        "concurrency": "packhouse.toml: concurrency",
        "time_zone": "packhouse.toml: time_zone",
        "max_age": "default",
    }


def test_blank_counts_as_unset():
    """An empty or blank variable is no value, so that unsetting one in a shell file does no harm."""
    found = load_settings({"data": " "}, {"PACKHOUSE_MAX_AGE": "", "GITHUB_TOKEN": " \n"}, NOWHERE)
    assert (found.data, found.max_age, found.github_token) == (Path("data"), timedelta(hours=20), None)


def test_all_problems_at_once(tmp_path):
    """Problems of flags, environment and file are all reported, each naming its source and what to write."""
    path = config(tmp_path, 'concurrency = 0\nmaximum_age = "1h"\npypi_url = ["a"]\ngithub_token = "x"\n')
    found = problems_of({"github_api_url": "http://example.org"}, {"PACKHOUSE_MAX_AGE": "soon", "PACKHOUSE_TIME_ZONE": "Mars/Base"}, path)
    assert len(found) == 7
    text = "\n".join(found)
    assert "unknown setting 'maximum_age'; known are base_url, catalog, concurrency" in text
    assert "packhouse.toml: pypi_url: write a text in quotes or a whole number" in text
    assert "tokens do not belong in a file; set GITHUB_TOKEN" in text
    assert "PACKHOUSE_TIME_ZONE: 'Mars/Base' is not an IANA time zone: write for example Europe/Berlin or UTC" in text
    assert "--github-api-url: 'http://example.org' would send data unencrypted: write https://" in text
    assert "packhouse.toml: concurrency: '0' is not a whole number from 1 to 100" in text
    assert "PACKHOUSE_MAX_AGE: 'soon' is not a duration" in text


@pytest.mark.parametrize("text", [b"data = ", b"\xff\xfed\x00", b'data = "\xe9"', b"a = 1\na = 2"])
def test_a_file_that_is_no_toml(tmp_path, text):
    """A damaged file is one problem beside those of the environment."""
    found = problems_of(environ={"PACKHOUSE_MAX_AGE": "soon"}, config_file=config(tmp_path, text))
    assert len(found) == 2
    assert "cannot be read as TOML" in found[0]


def test_a_folder_in_place_of_the_file_and_a_byte_order_mark(tmp_path):
    """A folder named packhouse.toml is a problem; a byte order mark before the file is not."""
    assert "cannot be read as TOML" in problems_of(config_file=tmp_path)[0]
    path = config(tmp_path, b'\xef\xbb\xbfdata = "elsewhere"\n')
    assert load_settings({}, {}, path).data == Path("elsewhere")


@pytest.mark.parametrize("value", ["true", "1.5", "{a = 1}", "2026-02-15", "[1]"])
def test_values_of_a_wrong_kind_in_the_file(tmp_path, value):
    """Only texts and whole numbers are settings; nothing is turned into text by accident."""
    (problem,) = problems_of(config_file=config(tmp_path, f"data = {value}\n"))
    assert problem == "packhouse.toml: data: write a text in quotes or a whole number"


def test_expectations_are_tuned_in_the_file_alone(tmp_path):
    """A table for each; what is wrong in one is told beside everything else, with file and key."""
    path = config(tmp_path, "[expectations.stars_held]\nbound = 0.3\n\n[expectations.weeks_held]\nis_off = true\n")
    assert load_settings({}, {}, path).expectations == {"stars_held": Tuning(bound=0.3), "weeks_held": Tuning(is_off=True)}
    assert load_settings({}, {}, NOWHERE).expectations == {}
    path = config(tmp_path, "concurrency = 0\n[expectations.stars_held]\nbound = 30\n\n[expectations.starz]\nis_off = true\n")
    found = problems_of(config_file=path)
    assert len(found) == 3
    assert "packhouse.toml: expectations.stars_held.bound: write a share from 0 to 1, such as 0.3" in found
    assert found[1].startswith("packhouse.toml: expectations.starz: unknown expectation; known are catalog_filled, ")


class TestToken:
    """The token is a secret wherever it goes."""

    def test_it_is_never_shown(self):
        """Neither the printed settings nor an error has the token in it."""
        found = load_settings({}, {"GITHUB_TOKEN": TOKEN}, NOWHERE)
        assert found.github_token == TOKEN
        assert TOKEN not in repr(found) + str(found) + repr(found.origins)
        (problem,) = problems_of(environ={"GITHUB_TOKEN": TOKEN[:20] + "\u2026" + TOKEN[20:]})
        assert TOKEN[:20] not in problem
        assert "GITHUB_TOKEN: the token has characters no token has" in problem

    def test_it_comes_from_the_environment_alone(self, tmp_path):
        """A token among the flags or in the file is refused without being repeated, however the key is spelled."""
        (problem,) = problems_of({"github_token": TOKEN})
        assert problem == "--github-token: tokens are taken from the environment alone; set GITHUB_TOKEN"
        for key in ("github_token", "GITHUB_TOKEN", "github-token"):
            (problem,) = problems_of(config_file=config(tmp_path, f'{key} = "{TOKEN}"\n'))
            assert "tokens do not belong in a file" in problem
            assert TOKEN not in problem

    def test_a_line_break_behind_it_is_dropped(self):
        """A token read from a file with its line break works; one with a space or a line break inside does not."""
        assert load_settings({}, {"GITHUB_TOKEN": f" {TOKEN}\r\n"}, NOWHERE).github_token == TOKEN
        for inside in (" ", "\n", "\x7f"):
            assert problems_of(environ={"GITHUB_TOKEN": TOKEN + inside + TOKEN})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://ghe.example.org/api/v3/", "https://ghe.example.org/api/v3"),
        ("HTTPS://GHE.Example.org:443/Api", "https://ghe.example.org/Api"),
        ("https://ghe.example.org:8443", "https://ghe.example.org:8443"),
        ("http://127.0.0.1:8000/github", "http://127.0.0.1:8000/github"),
        ("http://127.1.2.3", "http://127.1.2.3"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
        ("https://[2001:db8::1]/api", "https://[2001:db8::1]/api"),
    ],
)
def test_service_addresses(text, expected):
    """Encrypted anywhere, plain http on this machine only (IPv6 too); without default port and trailing slash."""
    found = load_settings({"github_api_url": text, "pypi_url": text}, {}, NOWHERE)
    assert (found.github_api_url, found.pypi_url) == (expected, expected)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("http://example.org", "unencrypted"),
        ("http://10.0.0.1", "unencrypted"),
        ("http://[2001:db8::1]", "unencrypted"),
        ("http://localhost.example.org", "unencrypted"),
        ("http://127.0.0.1.example.org", "unencrypted"),
        ("http://127.1", "unencrypted"),
        ("example.org", "is not an address"),
        ("ftp://example.org", "is not an address"),
        ("https://", "is not an address"),
        ("https://user:pass-word@example.org", "is not an address"),
        ("https://pass-word@example.org", "is not an address"),
        ("https://@example.org", "is not an address"),
        ("https://example.org?", "is not an address"),
        ("https://example.org/#", "is not an address"),
        ("https://example.org/a?b=c", "is not an address"),
        ("https://exa mple.org", "is not an address"),
        ("https://exam\nple.org", "is not an address"),
        ("https://example.org:port", "is not an address"),
        ("https://example.org:99999", "is not an address"),
        ("https://[::1", "is not an address"),
        ("https://[localhost]", "is not an address"),
        ("https://[127.0.0.1]", "is not an address"),
        ("https://ex\u00e4mple.org", "is not an address"),
        ("http://127.0.0.1\\@example.org", "is not an address"),
    ],
)
def test_service_addresses_refused(text, reason):
    """What is no address, or would carry the token unencrypted, is refused; a password in it is not repeated."""
    (problem,) = problems_of({"github_api_url": text})
    assert reason in problem
    assert "https://" in problem
    assert "pass-word" not in problem
    assert problem.isprintable()


def test_base_url_may_be_plain_http():
    """The start of the payload's links is only printed, so http is fine there."""
    assert load_settings({"base_url": "http://packages.example.org/"}, {}, NOWHERE).base_url == "http://packages.example.org"
    assert problems_of({"base_url": "packages.example.org"})


def test_contact_and_folders(monkeypatch):
    """A contact may have spaces but nothing that breaks the User-Agent; ~ is the home folder."""
    monkeypatch.setenv("HOME", "/home/somebody")
    found = load_settings({"contact": "Ops <ops@example.org>", "data": "~/packhouse"}, {}, NOWHERE)
    assert (found.contact, found.data) == ("Ops <ops@example.org>", Path("/home/somebody/packhouse"))
    for text in ("a(b)", "a\nb", "\u00e4"):
        assert "write an e-mail address" in problems_of({"contact": text})[0]
    assert "--data: " in problems_of({"data": "a\x00b"})[0]


@pytest.mark.parametrize("text", ["0", "101", "-1", "1.0", "\u0663", "9" * 5000, "many", "1_0"])
def test_whole_numbers(text):
    """A number outside its range, or no plain whole number, is refused with the range in a short message."""
    (problem,) = problems_of({"concurrency": text})
    assert problem.endswith("is not a whole number from 1 to 100")
    assert len(problem) < 200
    assert load_settings({"concurrency": " 100 "}, {}, NOWHERE).concurrency == 100


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("90s", 90), ("90m", 5400), ("20h", 72_000), ("2D", 172_800), (" 1w ", 604_800), ("007d", 604_800)],
)
def test_ages(text, seconds):
    """A whole number and one letter make a duration."""
    assert parse_age(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "h", "20", "20 h", "1.5h", "-1h", "1y", "\u0663h", "1h30m", "101w0", "36601d", "9" * 5000 + "h"])
def test_ages_refused(text):
    """Anything else is refused with an example, and so is more than a hundred years."""
    with pytest.raises(ValueError, match="for example 20h") as caught:
        parse_age(text)
    assert len(str(caught.value)) < 200


@settings(deadline=None)
@given(st.integers(0, 36_600), st.sampled_from("dD"), st.sampled_from(["", " ", "\n"]))
def test_days_are_days(count, unit, space):
    """Every whole number of days up to a hundred years is read as just that."""
    assert parse_age(f"{space}{count}{unit}{space}") == timedelta(days=count)


@settings(deadline=None)
@given(st.text() | st.from_regex(r"\A\d+[smhdw]\Z"))
@example("\u0661h")
@example("\u00b2h")
def test_parse_age_is_total(text):
    """Any text gives a duration that is not negative, or ValueError; never another error."""
    age, message = timedelta(0), ""
    try:
        age = parse_age(text)
    except ValueError as error:
        message = str(error)
    assert message.isprintable()
    assert timedelta(0) <= age <= timedelta(days=36_600)


@settings(deadline=None)
@given(st.text(), st.sampled_from([field for field in FIELDS if not field.is_secret]))
def test_any_text_is_a_value_or_a_problem(text, field):
    """Whatever stands in a variable, the outcome is settings or one printable problem that names the variable."""
    found = []
    try:
        load_settings({}, {field.variable: text}, NOWHERE)
    except InvalidSettings as error:
        found = error.problems
    assert all(problem.startswith(field.variable) and problem.isprintable() for problem in found)
    assert len(found) <= 1


def test_every_field_is_described():
    """FIELDS and Settings name the same settings in the same order, each with a variable of its own and a meaning."""
    names = [field.name for field in FIELDS]
    assert names == [field.name for field in fields(Settings) if field.name not in ("origins", "expectations")]
    assert len({field.variable for field in FIELDS}) == len(names)
    assert all(field.meaning.endswith(".") for field in FIELDS)


def test_trusted_proxies_are_networks():
    """Addresses and networks of both families, with commas between; anything else is told by name."""
    found = load_settings({"trusted_proxies": "127.0.0.1, 10.0.0.0/8,::1"}, {}, NOWHERE).trusted_proxies
    assert [str(network) for network in found] == ["127.0.0.1/32", "10.0.0.0/8", "::1/128"]
    assert load_settings({}, {}, NOWHERE).trusted_proxies is None
    for text in ("10.0.0.1/8", "*", "proxy.example", "127.0.0.1,"):
        assert "is not an address or a network: write for example 127.0.0.1" in problems_of({"trusted_proxies": text})[0]
