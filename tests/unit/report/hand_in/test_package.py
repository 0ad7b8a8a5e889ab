"""The files of a hand-in on disk: folder, ZIP, checksums, metadata, the outcome of the software's tests."""

from __future__ import annotations

import zipfile
from hashlib import sha256
from pathlib import Path
from xml.etree import ElementTree

import pytest

from factorylab.core.errors import UsageError
from factorylab.report.hand_in.configuration import same_or_each
from factorylab.report.hand_in.contents import sums
from factorylab.report.hand_in.document import cell, html
from factorylab.report.hand_in.junit import outcome
from factorylab.report.hand_in.package import check_free, write
from factorylab.report.hand_in.pdf import _renumbered
from factorylab.report.inline_svg import file_of
from tests.support.hand_in_rules import read, wrong
from tests.support.places import ROOT

EXAMPLE = ROOT / "results" / "sample" / "hand_in"
FILES = {"report.md": b"# Report\n", "figures/a.svg": b"<svg/>"}


def test_a_folder_holds_the_files(tmp_path: Path) -> None:
    """A new or an empty folder gets them, with nothing beside them."""
    (tmp_path / "empty").mkdir()
    for name in ("new/below", "empty"):
        write(FILES, tmp_path / name)
        found = {path for path in (tmp_path / name).rglob("*") if path.is_file()}
        assert {path.relative_to(tmp_path / name).as_posix(): path.read_bytes() for path in found} == FILES
    assert {path.name for path in tmp_path.iterdir()} == {"new", "empty"}


def test_a_zip_is_the_same_byte_for_byte(tmp_path: Path) -> None:
    """Nothing in it depends on when it was made; it unpacks to one folder."""
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        write(FILES, tmp_path / name / "mine.zip")
    one, other = (tmp_path / name / "mine.zip" for name in ("one", "other"))
    assert one.read_bytes() == other.read_bytes()
    assert set(zipfile.ZipFile(one).namelist()) == {f"mine/{name}" for name in FILES}


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A folder with something in it, a file, and a ZIP that is there are refused, with the way out."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "old.zip").write_text("x")
    for out in (tmp_path, tmp_path / "file", tmp_path / "old.zip"):
        with pytest.raises(UsageError, match=r"name another one, or remove it first"):
            check_free(out)
        with pytest.raises(UsageError):
            write(FILES, out)
    assert (tmp_path / "old.zip").read_text() == "x"


def test_checksums_are_as_sha256sum_reads_them() -> None:
    """A digest, two spaces and the name on each line."""
    assert sums({"a b": b"1"}) == f"{sha256(b'1').hexdigest()}  a b\n".encode()


def test_the_example_is_whole() -> None:
    """The hand-in that lies in the repository is small, keeps all rules, and shows the live page of each run."""
    files = read(EXAMPLE)
    assert wrong(files) == [] and sum(map(len, files.values())) < 2_500_000
    shown = ("replay.html", "before.png", "during.png", "after.png", "recording.webp")
    runs = {name.split("/")[1] for name in files if name.startswith("runs/")}
    assert len(runs) == 2 and {f"live/{run}/{name}" for run in runs for name in shown} <= files.keys()


@pytest.mark.parametrize(
    ("name", "was", "becomes", "told"),
    [
        ("performance.csv", "PASS", "FAIL", "performance.csv is not as SHA256SUMS has it"),
        ("ro-crate-metadata.json", '"@id": "report.md"', '"@id": "other.md"', "report.md is no part of the root"),
        ("ro-crate-metadata.json", '"@id": "#license"', '"@id": "#other"', "#other is referred to and nowhere"),
        ("ro-crate-metadata.json", '"datePublished": "2', '"datePublished": "', "the date is none of ISO 8601"),
        ("report.html", 'src="figures/', 'src="pictures/', "refers to pictures/architecture.svg, which is not here"),
        ("report.html", '" alt="', '" title="', "has no text in its place"),
    ],
)
def test_what_breaks_a_rule_is_told(name: str, was: str, becomes: str, told: str) -> None:
    """A file that was changed, metadata about another one, or a picture that is missing or has no text, is found."""
    files = read(EXAMPLE)
    files[name] = files[name].replace(was.encode(), becomes.encode(), 1)
    assert [line for line in wrong(files) if told in line]


def test_words_of_a_run_mean_nothing_to_markdown() -> None:
    """Neither a cell of a table nor a link, an image or a tag comes out of a text."""
    text = cell("a | b\n![x](http://elsewhere/y) <img src=z> `code` *em*")
    assert "\n" not in text
    page = html(f"# T\n\n| h |\n| --- |\n| {text} |\n")
    assert page.count("<td") == 1 and "<img" not in page.partition("<main>")[2] and "href" not in page
    assert "`code` *em*" in page


def test_a_heading_can_be_linked() -> None:
    """Each heading has the name that the contents link to; a table scrolls by itself."""
    page = html("# All of it\n\n## Known limits\n\n| h |\n| --- |\n| v |\n")
    assert '<h2 id="known-limits">' in page and "<title>All of it</title>" in page
    assert '<div class="wide"><table>' in page and '<th scope="col">h</th>' in page


def test_a_figure_is_a_file_of_its_own() -> None:
    """It has its looks in it, scales, and says what it shows to those who do not see it."""
    drawn = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M 1 1 L 2 2" style="fill: none"/></svg>'
    root = ElementTree.fromstring(file_of(drawn, "a > b"))
    space = "{http://www.w3.org/2000/svg}"
    assert root.tag == f"{space}svg" and root.get("viewBox") == "0 0 9 9" and root.get("aria-label") == "a > b"
    style, path = root.find(f"{space}style"), root.find(f"{space}path")
    assert style is not None and path is not None and f".{path.get('class')}{{fill:none}}" in (style.text or "")


def test_what_runs_have_in_common_is_said_once() -> None:
    """One value for all stands alone; several stand with the runs that have them."""
    assert same_or_each({"a": "1", "b": "1"}) == "1"
    assert same_or_each({"a": "1", "b": "2", "c": "1"}) == "1 (a, c); 2 (b)"


def test_names_in_a_pdf_count_from_one() -> None:
    """Whatever number a browser began with, the names are the same, as long, and in the same order."""
    one, other = (b"(node%08d) x (node%08d) (node%08d)" % (n + 1, n, n + 1) for n in (56, 73))
    assert _renumbered(one) == _renumbered(other) == b"(node00000002) x (node00000001) (node00000002)"


SUITE = """<testsuites><testsuite name="pytest"><testcase classname="t" name="a"/><testcase classname="t" name="b">
<failure message="x"/></testcase><testcase classname="t" name="c"><skipped/></testcase></testsuite></testsuites>"""


def test_the_software_s_tests_are_counted(tmp_path: Path) -> None:
    """Passed, failed by name, and skipped; what is no JUnit file is refused."""
    (tmp_path / "own.xml").write_text(SUITE)
    assert outcome(tmp_path / "own.xml") == [
        {"suite": "pytest", "tests": "3", "passed": "1", "failed": "1", "skipped": "1", "which failed": "t.b"}
    ]
    for text in ("<a/>", "no xml"):
        (tmp_path / "own.xml").write_text(text)
        with pytest.raises(UsageError, match=r"own\.xml"):
            outcome(tmp_path / "own.xml")
