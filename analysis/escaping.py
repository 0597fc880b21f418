"""Any text, made harmless for LaTeX and Markdown: names come from files that anybody may have written."""

import re

from safmn_bench.models.errors import printable

_LATEX = {
    **{"\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_"},
    **{"^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}"},
    **{"|": r"\textbar{}", "`": r"\textasciigrave{}", '"': "{''}", "-": "{-}", "'": "{'}"},  # no ligatures
    **{"[": "{[}", "]": "{]}", "*": "{*}"},  # at the start of a row they would be arguments of the `\\` before
    **{"±": r"$\pm$", "Δ": r"$\Delta$", "×": r"$\times$", "µ": r"$\mu$", "μ": r"$\mu$", "φ": r"$\phi$", "→": r"$\to$"},
    **{"–": "--", "—": "---", "…": r"\ldots{}", "−": "$-$", "²": r"$^2$", "†": r"$\dagger$", "™": "TM", "®": ""},
}
_MARKDOWN = {"<": "&lt;", ">": "&gt;", "&": "&amp;"} | {mark: f"\\{mark}" for mark in "\\`*_[]|~$"}


def latex(text: str) -> str:
    """Plain text as LaTeX, for pdflatex too: a character beyond Latin-1 becomes its code point, such as U+4E2D."""
    return "".join(_LATEX.get(c) or (c if ord(c) < 256 else rf"\texttt{{U+{ord(c):04X}}}") for c in printable(text))


def markdown(text: str) -> str:
    """Plain text as Markdown within a cell or a paragraph, HTML included."""
    escaped = "".join(_MARKDOWN.get(character, character) for character in printable(text))
    return re.sub(r"^(\s*\d*)([#+\-=.)]+\s)", r"\1\\\2", escaped)  # neither a heading nor a list at its start
