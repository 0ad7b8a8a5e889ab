"""All files of a hand-in, by their paths: the same runs give the same bytes, but for a few pixels of screenshots."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256

import msgspec

from factorylab.audit.judged import JudgedRun
from factorylab.core import secret
from factorylab.report.hand_in import configuration, crate, document, pdf
from factorylab.report.hand_in.live_page import LivePage
from factorylab.report.hand_in.told_run import ToldRun, check_whole, performance, where

SUMS = "SHA256SUMS"
LINKED = re.compile(r'<a href="(?!#)[^"]*">(.*?)</a>')  # a PDF would link to where it was printed
OF_A_RUN = ("scenario.json", "manifest.json", "prediction.json", "seal.json")
Say = Callable[[str], None]
Show = Callable[[JudgedRun], LivePage]


def contents(
    runs: Sequence[JudgedRun], junit: list[dict[str, str]], show: Show, say: Say, *, with_pdf: bool = True
) -> dict[str, bytes]:
    """Path → content; the last are the metadata and the checksums of all others. Progress goes to `say`. `junit`: the
    outcome of the software's own tests, as `junit.outcome` has it; empty: nobody asked for it. `show` makes the live
    page of a run.

    Raises:
        UsageError: a run has no seal, or was changed since; nothing is made then.
    """
    for run in runs:
        check_whole(run.folder)
    told: list[ToldRun] = []
    files: dict[str, bytes] = {}
    for number, run in enumerate(runs, 1):
        say(f"[{number}/{len(runs)}] {run.scenario.title} {run.folder.run_id}: figures, logs, verdict, live page")
        told.append(ToldRun(run, None if run.missing() else show(run)))
        files |= _of_run(told[-1])
    figures = {"figures/architecture.svg": document.architecture(told).encode()}
    figures |= {figure.file: figure.svg.encode() for one in told for figure in one.figures}
    live = {path: file.content for one in told for path, file in one.live_files.items()}
    files |= figures | live
    files |= {"performance.csv": _csv(performance(told)), "configuration.csv": configuration.as_csv(told).encode()}
    say(f"the report as Markdown, HTML{' and PDF' * with_pdf}")
    files |= _reports(told, junit, _printer(told, figures | live, wanted=with_pdf))
    clean = {*live, "report.pdf"}  # what they show was cleaned before they were made
    files = {name: content if name in clean else _cleaned(content) for name, content in sorted(files.items())}
    files[crate.NAME] = crate.metadata(told, files)
    return files | {SUMS: sums(files)}


def _cleaned(content: bytes) -> bytes:
    """Without any secret that this process knows."""
    return secret.clean(content.decode()).encode()


def sums(files: Mapping[str, bytes]) -> bytes:
    """The checksums as `sha256sum -c` reads them."""
    return "".join(f"{sha256(content).hexdigest()}  {name}\n" for name, content in files.items()).encode()


def _reports(told: Sequence[ToldRun], junit: list[dict[str, str]], printed: Callable[[str], bytes]) -> dict[str, bytes]:
    """The report in its forms, of which `printed` makes the PDF; without one the others say why."""
    text = document.markdown(told, junit, "")
    try:
        made = {"report.pdf": printed(document.html(text))}
    except pdf.NoPdf as error:
        text, made = document.markdown(told, junit, str(error)), {}
    return {"report.md": text.encode(), "report.html": document.html(text).encode(), **made}


def _printer(told: Sequence[ToldRun], figures: Mapping[str, bytes], *, wanted: bool) -> Callable[[str], bytes]:
    latest_ns = max(one.manifest.started_wall_ns for one in told)

    def printed(page: str) -> bytes:
        if not wanted:
            raise pdf.NoPdf("it was left out (--no-pdf)")
        return pdf.printed(LINKED.sub(r"\1", page), figures, latest_ns)

    return printed


def _of_run(told: ToldRun) -> dict[str, bytes]:
    folder = told.run.folder
    found = {
        f"runs/{told.name}/{name}": (folder.raw / name).read_bytes()
        for name in OF_A_RUN
        if (folder.raw / name).is_file()
    }
    found[f"runs/{told.name}/verdict.json"] = msgspec.json.format(msgspec.json.encode(told.verdict), indent=2) + b"\n"
    found[f"logs/{told.name}.txt"] = annotated(told).encode()
    return found


def annotated(told: ToldRun) -> str:
    """The lines of a run's logs that show rebalances and changes of leaders, each with what it shows."""
    head = [
        f"{told.title}: the lines of its logs that show rebalances, changes of leaders and owners, and the faults.",
        "Each entry: seconds since the first fault was begun (where none is on record: since the steady state began),",
        "what the line shows, and where it stands under raw/ of the run; below it the line itself.",
        "",
    ]
    entries = [f"{line.t_s:+10.3f}  {line.shows}  [{where(line)}]\n            {line.text}" for line in told.story]
    kept = entries or ["Not observed: the logs of this run were not kept, or hold no such line."]
    return "\n".join([*head, *kept]) + "\n"


def _csv(rows: Sequence[Mapping[str, str]]) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()
