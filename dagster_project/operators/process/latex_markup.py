"""What stands where in LaTeX, as Rust regular expressions."""

from __future__ import annotations


def _environments(*names: str) -> str:
    """Whole environments, with or without a star."""
    return "|".join(
        rf"\\begin\{{{name}\*?\}}(?s:.*?)\\end\{{{name}\*?\}}" for name in " ".join(names).split()
    )


FORMULA = (
    r"\$\$(?s:.+?)\$\$|\\\[(?s:.*?)\\\]|\\\((?s:.*?)\\\)"
    r"|\$(?:[^$\s\\]|\\[^\n])(?:(?:[^$\n\\]|\\.|\n[^$\n\\])*(?:[^$\s\\]|\\[^$\s]))?\$"
    r"(?-u:\b{end-half})|"
) + _environments(
    "equation align alignat flalign gather multline eqnarray math displaymath dmath",
    "split aligned cases array matrix pmatrix bmatrix vmatrix",
)
"""A formula. A dollar before a digit closes none: `$5-$10`."""

VERBATIM = _environments("verbatim Verbatim lstlisting minted") + (
    r"|\\verb\*?(?:\|[^|\n]*\||\+[^+\n]*\+|![^!\n]*!)"
)
CODE_SPAN = r"`[^`'\n]+`"
"""Of Markdown; not the opening of a LaTeX quotation."""

DROPPED = _environments("comment tikzpicture")

OPTIONS = r"(?:\[[^\[\]\n]*\])*"
GROUP = r"\{(?:[^{}\\]|\\.)*\}"
for _ in range(3):
    GROUP = rf"\{{(?:[^{{}}\\]|\\.|{GROUP})*\}}"
"""What is in braces, with up to three more pairs of braces in it."""

KNOWN = (
    r"\\(?:documentclass|usepackage|title|author|part|chapter|(?:sub)*section|(?:sub)?paragraph"
    r"|text(?:bf|it|tt|sc|rm|sf|sl|normal|up|md|color)|emph|underline|footnote|caption|label|mbox"
    r"|(?:eq|auto|page|[cC])?ref|(?:no)?cite[pt]?|bibliography|bibliographystyle|includegraphics"
    rf"|href|url|newcommand|begin|end)\*?{OPTIONS}\{{"
)
"""A command by which a text is known as LaTeX."""

OUTSIDE_DOCUMENT = r"\\documentclass(?s:.*?)\\begin\{document\}|\\end\{document\}(?s:.*)\z"
COMMENT = r"(?m:^)[ \t]*%[^\n]*\n|%[^\n]*"
URL = r"\\url\{[^{}]*\}"
LINKED = r"\\href\{[^{}]*\}"

WITHOUT_TEXT = (
    rf"{DROPPED}|\\def\\[A-Za-z]+[#0-9]*{GROUP}"
    r"|[ ~]?\\(?:(?:eq|auto|page|[cC])?ref|(?:paren|text|auto|foot)?cite(?:p|t|alp|author|year)?)"
    rf"\*?{OPTIONS}{GROUP}"
    r"|\\(?:documentclass|usepackage|RequirePackage|label|nocite|bibliography|bibliographystyle"
    r"|addbibresource|includegraphics|graphicspath|input|include|[vh]space|pagestyle|thispagestyle"
    r"|pagenumbering|setcounter|addtocounter|setlength|addtolength|geometry|hypersetup|lstset"
    r"|(?:re)?newcommand|providecommand|(?:re)?newenvironment|newtheorem|theoremstyle|definecolor"
    r"|DeclareMathOperator|linespread|bibitem|h?v?phantom|index|markboth|hyphenation)"
    rf"\*?(?:\\[A-Za-z]+)?(?:{OPTIONS}{GROUP})+"
    r"|\\begin\{(?:tabular[xy]?|longtable|minipage|multicols|thebibliography|wrapfigure)\*?\}"
    rf"(?:{OPTIONS}{GROUP})*"
    rf"|\\(?:begin|end)\{{[A-Za-z]+\*?\}}{OPTIONS}"
    r"|\\(?:maketitle|tableofcontents|listof(?:figures|tables)|newpage|clear(?:double)?page"
    r"|(?:page|line)break|(?:no)?indent|centering|ragged(?:right|left)|(?:big|med|small)skip"
    r"|[hv]fill|hline|(?:top|mid|bottom)rule|appendix|printbibliography|(?:front|main|back)matter"
    r"|bfseries|itshape|ttfamily|scshape|sffamily|rmfamily|normalfont|tiny|scriptsize|footnotesize"
    r"|small|normalsize|large|Large|LARGE|huge|Huge|par|protect|selectfont|sloppy"
    r"|(?:single|onehalf|double)spacing|makeat(?:letter|other)|today)(?-u:\b{end-half})(?:\{\}|[ \t]+)?"
)
"""Commands that go with what they are given, and those that are given nothing."""

MATH_COMMAND = (
    r"\\(?:[dtc]?frac|[dt]?binom|stackrel|overset|underset|sqrt|vec|hat|bar|tilde|overline|widehat"
    rf"|math[a-z]+|boxed|operatorname)\*?{OPTIONS}(?:{GROUP})+|[_^]{GROUP}"
)
"""Parts of formulas that nothing marks as such."""

ARGUMENT = (
    rf"\{{(?P<text>(?:\$[^$]*\$|\\\((?s:.*?)\\\)|{MATH_COMMAND}|{URL}|\\[^\n]|[^{{}}\\])*)\}}"
)
"""What is in braces, without other commands with braces."""

FOOTNOTE = rf"\\footnote{OPTIONS}{ARGUMENT}"
COMMAND = rf"(?:\\[A-Za-z]+\*?{OPTIONS}(?:\{{(?:[^{{}}\\]|\\[^\n])*\}})*)?{ARGUMENT}"
"""A command with its arguments, or braces alone; `text` is the last argument."""

LINE_BREAK = rf"\\\\\*?{OPTIONS}[ \t]*\n?"
NAMED = (
    (r"\\item\[(?P<text>[^\[\]]*)\][ \t]*", "- ${text} "),
    (r"\\item(?-u:\b{end-half})[ \t]*", "- "),
    (r"\\(?:ldots|dots)(?-u:\b{end-half})(?:\{\})?", "…"),
    (r"\\(?P<text>LaTeX|TeX)(?-u:\b{end-half})(?:\{\})?", "${text}"),
    (r"~|\\q?quad(?-u:\b{end-half})(?:\{\})?", " "),
    (r"``", "“"),
    (r"''", "”"),
)
"""Commands and signs, and what is written for them."""

ESCAPED = r"\\url\{(?P<text>[^{}]*)\}|\\(?P<sign>[%&_#{}])"
