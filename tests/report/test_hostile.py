"""Records that hold what would act in a format, in every place that a record has: each writer shows it as text."""

import csv
import hashlib
import html
import io
import re
from base64 import b64encode
from pathlib import Path

import pytest
from helpers.awkward import report_of
from helpers.markup import Page
from helpers.pages import pages
from helpers.pages import record as made_up
from helpers.pages import written as with_arrays
from helpers.shell import run_here
from markdown_it import MarkdownIt

from ebmcli.cli import terminal
from ebmcli.cli.console import console
from ebmcli.core.texts import printable
from ebmcli.figures import page
from ebmcli.report.blocks import Heading, Items, Picture, Text
from ebmcli.report.build import Report
from ebmcli.report.writers import markdown
from ebmcli.storage import store
from ebmcli.storage.records import Listed, Manifest, Record

CONTROL = "\x1b[31m\x07\x00\r\n\t\u202e\u200b\x9b\udce9"
ACTIVE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)> `c` ``d`` *e* __f__ ~~g~~ | $h$ \\input{i} {j} # % & ~ ^ _ "
    "&lt; [k](http://evil.example) ![l](m) https://evil.example www.evil.example me@evil.example [red]n[/o] :bomb: \" '"
)
BEGINNINGS = [
    "# a",
    "- b",
    "1. c",
    "> d",
    "```\ne",
    "    f",
    "[g]: http://evil.example",
    "---",
    "=1+1",
    "@SUM(1)",
    "+1",
]
MORE = ["12) h", "* i", "+ j", "=", "***", "_ _ _", "~~~", "- [ ] k", "> ", "\\# l"]
HOSTILE = f"{CONTROL} {ACTIVE}"
TAGS = {"h1", "h2", "h3", "p", "ul", "li", "code", "strong", "table", "thead", "tbody", "tr", "th", "td", ""}


def hostile(text):
    """Records with this text in all places, one of each status."""
    units = {"task": f"points:{text}", "loss": text, "sampler": text, "energy": text}
    records = []
    tasks = [*[units["task"]] * 4, "moons", "sp ace", "sp-ace", "Sp ace"]
    for seed, (task, status) in enumerate(
        zip(tasks, ["done", "diverged", "failed", "refused", *["done"] * 4], strict=True)
    ):
        config = {**units, "task": task, "seed": seed, "head": text, text or "empty": text, "lr": 0.1}
        metrics = {"verdict": text, "verdict_reason": text, "gap_q50": 1.0, text or "empty": 2.0}
        origin = dict.fromkeys(("machine", "python", "code", "commit", "devices", "cpu"), text)
        origin |= {"versions": {text: text}, "variables": {text: text}, "dirty": True}
        finished = status in ("done", "diverged")
        name = text.replace("/", "").replace("\0", "")[:20]
        records.append(
            Record(
                f"run{seed}-{name}x",
                status,
                config,
                metrics if finished else {},
                {"train": 1.0},
                origin if finished else {},
            )
        )
    return records


def written(folder, text):
    folder.mkdir(parents=True)
    records = hostile(text)
    cells = [Listed(one.id, one.config, text if one.status == "refused" else "") for one in records]
    store.save_manifest(folder, Manifest(text, text, cells, [], {text: text}))
    for one in records:
        run = store.claim(folder, one.id, one.config)
        if one.metrics:
            store.save_result(run, one)
            store.append_curve(run, {"step": 1, "gap_q50": 1.0, text or "empty": 1.0})
        elif one.status == "failed":
            store.save_failure(run, {"kind": "failed", "message": text, "traceback": text})
    return folder


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    return written(tmp_path_factory.mktemp("hostile") / "results" / "x", HOSTILE)


def check_plain(text):
    """No letter of it moves a cursor, turns others round, or is none."""
    assert text.replace("\n", "").isprintable()
    assert text.encode()


def test_html_has_our_tags_alone_and_says_what_a_browser_may_use(sweep):
    text = report_of(sweep, "html")
    style, script = (re.search(f"<{tag}>(.*)</{tag}>", text, re.DOTALL)[1] for tag in ("style", "script"))
    check_plain(text.replace(style, "").replace(script, ""))
    page = Page(text)
    tags = [tag for tag, _ in page.tags]
    assert set(tags) <= TAGS | {"html", "head", "meta", "title", "style", "body", "main", "nav", "a", "div", "button",
                                "script", "dl", "dt", "dd"}  # fmt: skip
    assert tags.count("script") == tags.count("style") == 1
    known = {"lang", "charset", "name", "content", "http-equiv", "id", "href", "class", "role", "tabindex",
             "aria-label", "scope", "aria-sort", "type", "title", "data-number"}  # fmt: skip
    assert {name for _, attributes in page.tags for name in attributes} <= known, "no style, no handler of events"
    (policy,) = [attributes["content"] for tag, attributes in page.tags if "http-equiv" in attributes]
    hashes = {
        name: f"'sha256-{b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
        for name, content in (("style-src", style), ("script-src", script))
    }
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules == hashes | {
        "default-src": "'none'", "img-src": "data:", "base-uri": "'none'", "form-action": "'none'"
    }  # fmt: skip
    assert "c" not in page.code, "what stands between backquotes of a record is no code"
    anchors = [attributes["id"] for tag, attributes in page.tags if tag == "h2"]
    assert len({anchor.lower() for anchor in anchors}) == len(anchors) > 4
    assert {f"#{anchor}" for anchor in anchors} == {a["href"] for tag, a in page.tags if tag == "a"}


@pytest.mark.parametrize("text", [HOSTILE, *BEGINNINGS])
def test_markdown_is_read_as_tables_and_paragraphs_alone(text, tmp_path):
    text = report_of(written(tmp_path / "x", text), "md")
    check_plain(text)
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    tokens = [inner for token in parser.parse(text) for inner in (token, *(token.children or ()))]
    assert {token.tag for token in tokens} <= TAGS
    assert not [token for token in tokens if token.type in ("html_block", "html_inline", "fence", "code_block")]
    assert "c" not in [token.content for token in tokens if token.type == "code_inline"]
    assert not re.search(r"(?<!\\)\$", re.sub(r"`[^`]*`|``.*?``", "", text)), "nothing that GitHub takes for maths"
    assert not re.search(r"https?://|\bwww\.|\w@\w", re.sub(r"(`+).*?\1(?!`)", "", text)), "no address becomes a link"
    rows = [token for token in tokens if token.type == "tr_open"]
    assert len(rows) == len(re.findall(r"^\| (?!(?:--- \| ?)+$)", text, re.MULTILINE))


def test_latex_has_our_commands_alone(sweep):
    text = report_of(sweep, "latex").partition("% \\input this file")[2].partition("\n")[2]
    check_plain(text)
    assert text.isascii()
    assert "\\input" not in text
    assert "\\texttt{c}" not in text
    assert "x1b" in text, "names that differ in such signs stay different"
    plain = re.sub(r"\\[$&#%_{}]|\\\\|(?<=\{!\}\{)%$", "", text, flags=re.MULTILINE)
    assert not set(plain) & set("$#%_~"), "these would be maths, arguments, comments, indices, blanks"
    assert plain.count("{") == plain.count("}")
    commands = set(re.findall(r"\\([a-zA-Z]+)", plain))
    assert commands <= {
        "section", "subsection", "subsubsection", "texttt", "textbf", "begin", "end", "item", "centering", "caption",
        "label", "footnotesize", "par", "medskip", "resizebox", "ifdim", "width", "linewidth", "else", "fi", "toprule",
        "midrule", "bottomrule", "raggedright", "ensuremath", "pm", "ge", "le", "beta", "alpha", "downarrow", "uparrow",
        "textbackslash", "textasciicircum", "textasciitilde", "textquotedbl", "textasciigrave", "textquotesingle",
    }, commands  # fmt: skip
    labels = re.findall(r"^\\label\{(.*)\}$", text, re.MULTILINE)
    assert len({label.lower() for label in labels}) == len(labels) > 4


@pytest.mark.parametrize("text", [*(text for text in BEGINNINGS if "`" not in text), *MORE])
def test_a_paragraph_of_markdown_begins_nothing_else(text):
    plain, bracketed = (printable(" ".join(words.split())) for words in (text, f"a]({text}"))
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    shown = [
        (Text(text), f"<p>{plain}</p>"),
        (Items([text]), f"<ul>\n<li>{plain}</li>\n</ul>"),
        (Heading(2, text), f"<h2>{plain}</h2>"),
        (Heading(2, f"{text} #"), f"<h2>{plain} #</h2>"),
        (Picture(Path("x.png"), f"a]({text}"), f'<p><img src="x.png" alt="{bracketed}" /></p>'),
    ]
    for block, expected in shown:
        assert html.unescape(parser.render(markdown._block(block, str)).strip()) == expected


@pytest.mark.parametrize("text", [HOSTILE, "=1+1", "@SUM(1)", " -1+cmd"])
def test_csv_has_one_line_a_row_for_every_reader_and_no_formula(text, tmp_path):
    sweep = written(tmp_path / "results" / "x", text)
    run_here(tmp_path, "export", sweep.absolute(), "--output", "x.csv")
    run_here(tmp_path, "export", sweep.absolute(), "--curves", "--output", "c.csv")
    for text in (report_of(sweep, "csv"), (tmp_path / "x.csv").read_text(), (tmp_path / "c.csv").read_text()):
        check_plain(text)
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        assert len({len(row) for row in rows}) == 1
        assert not [cell for row in rows for cell in row if re.match(r"\s*[=+@]|\s+-", cell)]


def test_a_terminal_is_shown_text_alone(sweep, tmp_path):
    done = store.records(sweep)[0].id
    for arguments in (["status", sweep], ["show", sweep / "runs" / done], ["compare", sweep, sweep], ["report", sweep]):
        out, err = run_here(tmp_path, *arguments)
        check_plain(out + err)


def test_a_report_on_a_terminal_is_text_alone(sweep):
    out = console()
    with out.capture() as capture:
        terminal.print_report(Report([sweep]), ["x"], out)
    check_plain(capture.get())


@pytest.mark.parametrize("text", ["\x1b[31m\udce9\u202e", "[/red]", "$x$ {y} $z", "$\\frac{1$", ":bomb:"])
def test_a_page_shows_such_names_as_they_are(text, tmp_path):
    plain = made_up()
    named = Record("run", "done", {**plain.config, "loss": text, "sampler": text}, plain.metrics)
    folder = with_arrays(tmp_path / "results" / "x", [named])
    (only,) = pages(store.records(folder))
    figure = page.figure(page.load(folder, only), text)
    page.to_bytes(figure, ".png")
    shown = [put.get_text() for put in figure.texts]
    check_plain("".join(shown))
    assert shown.count(printable(text)) == 2, "over the column and beside the row"
