"""A stage's report as HTML: what is markup in it is text, but for the Markdown that reports are written in."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

# The page has a heading above a report's.
LEVELS_DOWN, DEEPEST = 1, 6


class _Renderer(RendererHTML):
    """markdown-it's, with headings below the page's, and tables that scroll within their own width."""

    def table_open(self, tokens: Sequence[Token], place: int, options: OptionsDict, env: EnvType) -> str:
        return f'<div class="wide" role="region" tabindex="0" aria-label="{escape(env["label"])}"><table>\n'

    def table_close(self, tokens: Sequence[Token], place: int, options: OptionsDict, env: EnvType) -> str:
        return "</table></div>\n"


def html_of(report: str, label: str) -> str:
    """A report's Markdown. label: what its tables are called for whoever hears the page.

    Markup, links and pictures in it stay text: a class or a patient may be called anything.
    """
    parser = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer).enable("table")
    parser.disable(["link", "image", "autolink", "reference", "entity"])
    env: EnvType = {"label": label}
    tokens = parser.parse(report, env)
    for token in tokens:
        # The page's policy lets no style in that an element has of its own.
        token.attrs.pop("style", None)
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(DEEPEST, int(token.tag[1:]) + LEVELS_DOWN)}"
    rendered: str = parser.renderer.render(tokens, parser.options, env)
    return rendered
