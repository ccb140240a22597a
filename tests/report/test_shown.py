"""A report as a reader meets it: HTML in a real browser, LaTeX set by a real TeX. Without these programs the tests
fail: they are marked `shown` and run only when asked for."""

import html
import json
import re
import shutil
import subprocess

import pytest
from helpers.awkward import RECORDS, REFUSED, report_of
from helpers.made_up import record, written

from ebmcli.core.registry import units

pytestmark = pytest.mark.shown
PROBE = """<script>
function cells(table, place) { return [...table.tBodies[0].rows].map((row) => row.cells[place].textContent); }
function press(table, place) { table.tHead.rows[0].cells[place].querySelector("button").click(); }
const table = document.querySelector("table"), heads = [...table.tHead.rows[0].cells].map((head) => head.textContent);
const kl = heads.indexOf("kl"), found = { before: cells(table, kl) };
press(table, kl); found.up = cells(table, kl); found.told = table.tHead.rows[0].cells[kl].getAttribute("aria-sort");
press(table, kl); found.down = cells(table, kl);
press(table, 0); found.names = cells(table, 0);
found.width = window.innerWidth; found.wide = document.documentElement.scrollWidth > window.innerWidth;
found.scrolls = [...document.querySelectorAll(".wide")].some((one) => one.scrollWidth > one.clientWidth);
found.back = getComputedStyle(document.body).backgroundColor;
found.text = getComputedStyle(document.querySelector("td")).color;
found.formulas = [...document.querySelectorAll("dd code")].map((one) => one.getBoundingClientRect().height);
found.picture = document.querySelector("img").naturalWidth;
found.requests = performance.getEntriesByType("resource").filter((one) => !one.name.startsWith("data:")).length;
parent.postMessage(JSON.stringify(found), "*");
</script>"""


# A window is never narrower than 500 pixels: the page stands in a frame that is.
FRAME = """<!DOCTYPE html><meta name="color-scheme" content="light dark"><title>{}</title>
<script>addEventListener("message", (event) => {{ document.title = event.data; }});</script>
<iframe src="report.html" width="{}" height="900" style="border: 0"></iframe>"""


def program(*names):
    for name in names:
        if shutil.which(name):
            return name
    pytest.fail(f"none of {', '.join(names)} is installed, see CONTRIBUTING.md")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The awkward report with a picture, and a probe at its end."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    place = tmp_path_factory.mktemp("shown")
    folder = written(place / "x", RECORDS, REFUSED)
    FigureCanvasAgg(Figure(figsize=(20, 2))).figure.savefig(folder / "grid-moons.png", dpi=100)
    text = report_of(folder, "html", {"moons": [folder / "grid-moons.png"]})
    (place / "report.html").write_text(text.replace("</body>", f"{PROBE}</body>"), encoding="utf-8")
    return place / "report.html"


@pytest.fixture(params=[(390, False), (390, True), (1280, False), (1280, True)], ids=str)
def seen(request, page):
    width, dark = request.param
    command = [
        program("chromium", "chromium-browser", "google-chrome"),
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
    ]
    command += ["--blink-settings=preferredColorScheme=0"] if dark else []
    (page.parent / "frame.html").write_text(FRAME.format("nothing came", width))
    command += [
        "--window-size=1400,900",
        "--virtual-time-budget=10000",
        "--dump-dom",
        f"file://{page.parent}/frame.html",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    title = re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)
    assert title, done.stderr
    found = json.loads(html.unescape(title[1]))
    assert found["width"] == width
    return found, dark


def test_a_page_can_be_read_and_sorted_on_any_screen(seen):
    found, dark = seen
    assert found["up"] == ["0.00300", "0.110 ± 0.025", "0.205 ± 0.064", "0.500 ± 0", "3.00e+09", "–"]
    assert found["told"] == "ascending"
    assert found["down"] == [*found["up"][-2::-1], "–"], "what has no figure stays last"
    assert found["before"][0] == "0.110 ± 0.025"
    assert found["names"] == sorted(found["names"])
    assert not found["wide"], "the page itself is never wider than the screen, its tables scroll"
    assert found["scrolls"]
    assert min(found["formulas"]) > 10
    assert found["picture"] == 2000
    assert found["requests"] == 0
    brightness = [sum(map(int, re.findall(r"\d+", found[name])[:3])) for name in ("back", "text")]
    assert (brightness[0] < brightness[1]) == dark
    assert abs(brightness[0] - brightness[1]) > 450


EVERY_LOSS = [record(name, "none", 0, kl=0.1) for name in units("loss")]


@pytest.mark.parametrize("what", [(RECORDS, REFUSED), (EVERY_LOSS,)], ids=["awkward", "the formulas of every loss"])
def test_latex_compiles_and_what_it_says_fits_the_page(tmp_path, what):
    text = report_of(written(tmp_path / "x", *what), "latex", baseline="hinge")
    packages = re.findall(r"^% (\\usepackage.*)$", text, re.MULTILINE)
    (tmp_path / "report.tex").write_text(text, encoding="utf-8")
    whole = ["\\documentclass{article}", *packages, "\\begin{document}", "\\input{report}", "\\end{document}"]
    (tmp_path / "whole.tex").write_text("\n".join(whole))
    command = [program("pdflatex"), "-interaction=nonstopmode", "-halt-on-error", "whole.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=300)
    assert done.returncode == 0, done.stdout[-2000:]
    assert not re.search(r"Overfull \\hbox \((\d{2,})", done.stdout.replace("\n", " "))
    assert "Missing character" not in (tmp_path / "whole.log").read_text(errors="replace")
