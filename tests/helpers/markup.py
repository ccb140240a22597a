"""A page of HTML, read back."""

import html.parser


class Page(html.parser.HTMLParser):
    """The cells of all tables of a page, what is set as code, and every tag with its attributes."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.code, self.tags, self.into = [], [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th", "code"):
            self.into = self.code if tag == "code" else self.tables[-1][-1]
            self.into.append("")

    def handle_endtag(self, tag):
        self.into = None if tag in ("td", "th", "code") else self.into

    def handle_data(self, data):
        if self.into is not None:
            self.into[-1] += data
