"""LaTeX goes, text and formulas stay."""

from __future__ import annotations

import polars as pl
import pytest

from dagster_project.operators.process.strip_latex import StripLatex

DOCUMENT = r"""\documentclass[12pt]{article}
\usepackage{amsmath} % maths
\newcommand{\R}{\mathbb{R}}
\begin{document}
% a comment
\section{On \emph{nested \textbf{things}}}\label{sec:i}
Let $x \in \R$ be 50\% of $\frac{a}{b}$~\cite[p.~5]{knuth}.% trailing
See \href{https://a.b/%20c}{here}, \url{http://x/~u%20}\footnote{Costs \$5.}.
``Quoted''\\ {\Large big} A~\&~B \alpha.
\begin{itemize}
\item one
\item[two] second
\end{itemize}
\begin{equation}\label{eq}
E = mc^2
\end{equation}
\begin{verbatim}
\textbf{raw} % stays
\end{verbatim}
So \boxed{42}.
\end{document}
rest"""
PLAIN = r"""
On nested things
Let $x \in \R$ be 50% of $\frac{a}{b}$.
See here, http://x/~u%20 (Costs \$5.).
“Quoted”
big A & B \alpha.

- one
- two second

\begin{equation}\label{eq}
E = mc^2
\end{equation}
\begin{verbatim}
\textbf{raw} % stays
\end{verbatim}
So \boxed{42}.
"""


def stripped(apply, text: str, **options) -> tuple[str, int]:
    operator = StripLatex.model_validate({"columns": ["text"], **options})
    return apply(operator, pl.DataFrame({"text": [text]}))[0].row(0)


def test_a_document(apply) -> None:
    assert stripped(apply, DOCUMENT) == (PLAIN, len(DOCUMENT) - len(PLAIN))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"\textcolor{red}{a} \caption[short]{long} \section*{S}", "a long S"),
        (r"\textbf{a \unknown{b} c} \mbox{$x_{1}$ d}", "a b c $x_{1}$ d"),
        (r"\begin{tabular}{l|r} a & b \\ \hline c \end{tabular}", " a & b \nc "),
        (r"\emph{a} 5% and 6 % b % comment", "a 5% and 6 % b "),
        (r"\begin{tikzpicture}\draw;\end{tikzpicture}\emph{x}", "x"),
        (r"\emph{x} \$5 \verb|\y{z}| \frac{1}{2} x_{i} 5\% \textit{y}", None),
    ],
)
def test_commands(apply, text: str, expected: str | None) -> None:
    expected = expected or r"x \$5 \verb|\y{z}| \frac{1}{2} x_{i} 5% y"
    assert stripped(apply, text)[0] == expected


@pytest.mark.parametrize(
    "text",
    [
        r"50% of $5 and $10, {json: 'x'} C:\Users\new{x} ~ \n \alpha \\ a",
        "```latex\n\\textbf{a} % b\n```\nand `\\section{x}` 5%",
        r"$\textbf{x}$ \[ \label{y} \]",
        "{unclosed \\textbf 5%",
    ],
)
def test_what_is_no_latex_stays(apply, text: str) -> None:
    assert stripped(apply, text) == (text, 0)


def test_unmatched_braces_keep_their_command_and_escapes(apply) -> None:
    text = r"\textbf{a 50\% b \emph{x}"
    assert stripped(apply, text)[0] == r"\textbf{a 50\% b x"


def test_formulas_go_when_asked(apply) -> None:
    text = r"a $x$ $$y$$ \(z\) \[w\] \begin{align*}v\end{align*} \$1 $5 and $6, $7-$8 `$x$` 5%"
    assert stripped(apply, text, math="drop")[0] == r"a      \$1 $5 and $6, $7-$8 `$x$` 5%"
    replaced = r"\emph{so} " + text
    assert stripped(apply, replaced, math="replace", placeholder="[M]")[0] == (
        r"so a [M] [M] [M] [M] [M] \$1 $5 and $6, $7-$8 `$x$` 5%"
    )
