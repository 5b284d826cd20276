"""Keep rows whose answer was not cut off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
from pydantic import Field

from dagster_project.operators.base import RowOperator, Rule
from dagster_project.operators.process.chat_turns import turns
from dagster_project.operators.process.prose_words import CHUNK

SHOWN_CHARACTERS = 80

DANGLING = (
    r"(?i)(?:\s(?:an?|the|and|or|but|nor|of|from|into|onto|because|although|if|whether|while|than"
    r"|which|who|whose|when|as|is|are|was|were|has|had|would|could|should|may|might|must|i|we|they"
    r"|my|your|our|their|its)|\S,"
    r"|[，、；]|[并並而]且|因[为為]|由[于於]|以及|或者|如果|[虽雖]然|[對对關关][于於]"
    r"|[をへ]|[^ちん]は|および|または|しかし|ために|という|(?:から|まで|など)の|さまざまな|様々な)$"
)
"""A last word that another must follow, or a comma. Words that also end sentences, as in "help you
with" or "do not want to", are not among them."""

SENTENCES_WITHOUT_END = (
    (
        r"\p{Ll}[.!?][\"'”’)\]*]*\s+[\"'“‘(\[*]*\p{Lu}",
        r"(?:^|\s)[\"'“‘(*]*\p{Ll}[\p{L}\p{M}'’-]*$",
    ),
    (
        r"[\p{Han}\p{Hiragana}\p{Katakana}ー][。！？!?][^\p{L}\n]*\p{L}",
        r"[[\p{Han}\p{Hiragana}\p{Katakana}]--[了吧吗嗎呢啊哦呀嘛啦哈的ねよわぞさなかんうくすつぶむるだたい]]$",
    ),
    (r"\p{Hangul}[.!?][^\p{L}\n]*\p{L}", r"[\p{Hangul}--[다요죠까네자게어아지음함야해군걸]]$"),
)
"""A sentence that ends and another that begins, so that this writer uses full stops, and a last word
that ends none: one that no capital begins, which is no name under a letter, hashtag or number; a Chinese
or Japanese letter that is no final particle and ends no verb or adjective; a Korean one likewise."""

NO_PROSE = (
    r"(?i)^\s*(?:[-*+•·–—|#>$・●○■◆★※]|[一二三四五六七八九十]+、|\d+[.):]|[a-z][.)]\s|\[|```|~~~|@|//|import\s|from\s\S+\simport)"
    r"|(?:https?://|www\.)\S*$|\S+@\S+\.\w+$|\S+\.\w{2,4}/\S*$|\|\s*$|[={}<>;\\]|\w\(|\w_\w"
)
"""A last line that is an item of a list, a row of a table, a heading, a quotation, an address, or
code: these need no full stop."""

CONTINUES = (
    r"(?i)(?:(?:\.\.\.|…)\s*|[(\[*]\s*)(?:to be )?continue[ds]?(?: (?:in|on|below|from)\b[^\n]{0,40})?"
    r"\s*(?:\.\.\.|…|[)\]*.])*\s*$"
    r"|[(\[（【「]\s*(?:未完)?(?:待[续續]|つづく|続く|계속)\s*[)\]）】」]\s*$"
)
"""A mark that there is more: `…continued`, `[to be continued]`, `(continued in the next message)`."""

FENCE = r"(?m)^[ \t>]*(?:(?:[-*+]|\d+[.)])[ \t]+)?```+[^`\n]*$"


class FilterTruncated(RowOperator):
    """Keeps rows whose answer was not cut off, by its last turn of the assistant.

    Four rules, each on an annotation of its own, which is null where nothing was found:

    | rule, annotation | removes an answer |
    |---|---|
    | `dangling_end` | whose last line is prose and ends with a comma, or with a word of English, \
Chinese or Japanese that another must follow, such as `the` or `因为` |
    | `no_full_stop` | whose last line is prose and ends with a word in lower case and no full \
stop, although it has sentences that end with one; in Chinese, Japanese and Korean, with a word that \
ends no sentence |
    | `open_fence` | that ends inside a block of code |
    | `continued` | that ends with a mark such as `…continued` or `[to be continued]` |

    People forget full stops: of the answers that `no_full_stop` removes from chats that people typed,
    most are whole; switch it off for these. Models do not.

    The measured value is the end of the answer, up to 80 characters; of `open_fence`, the last
    fence. Better to miss than to err: a last line with fewer words than `min_words` (a short
    answer, a signature, a verse), an item of a list, a row of a table, a heading, an address, and
    code outside of fences are never taken for cut off, and any closing quotation mark, bracket,
    emoji or other sign ends a sentence as a full stop does.

    A column of text holds one answer a row; null is removed. A chat in which the assistant says
    nothing is kept.

    Example:
        - filter_truncated: {column: messages, min_words: 15}

    Raises:
        OperatorMisuse: when the column holds neither text nor chat messages with roles.
    """

    column: str = Field(default="messages", description="A column of chat messages or of answers.")
    dangling_end: bool = Field(default=True, description="Whether to use the rule of that name.")
    no_full_stop: bool = Field(default=True, description="Whether to use the rule of that name.")
    open_fence: bool = Field(default=True, description="Whether to use the rule of that name.")
    continued: bool = Field(default=True, description="Whether to use the rule of that name.")
    min_words: int = Field(
        default=10,
        ge=1,
        description="Fewest words of a last line that must end as a sentence; where no spaces part "
        "them, two letters are one.",
    )
    prefix: str = Field(default="", description="Put before the names of the annotations.")

    def reads(self) -> Sequence[str]:
        return [self.column]

    def annotations(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        answer = turns(self, schema, self.column, "assistant").list.last().str.strip_chars()
        line = answer.str.extract(r"([^\n]*)$", 1)
        fences = answer.str.extract_all(FENCE)
        prose = (
            (line.str.count_matches(CHUNK) >= self.min_words)
            & ~line.str.contains(NO_PROSE)
            & (fences.list.len() % 2 == 0)
        )
        dangling = line.str.contains(DANGLING)
        unstopped = pl.any_horizontal(
            line.str.contains(end) & line.str.contains(before)
            for before, end in SENTENCES_WITHOUT_END
        )
        end = answer.str.tail(SHOWN_CHARACTERS)
        found = {
            "dangling_end": pl.when(prose & dangling).then(end),
            "no_full_stop": pl.when(prose & ~dangling & unstopped).then(end),
            "open_fence": pl.when(fences.list.len() % 2 == 1).then(fences.list.last()),
            "continued": pl.when(answer.str.contains(CONTINUES)).then(end),
        }
        return {f"{self.prefix}{name}": found[name] for name in self._switched_on()}

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        there = pl.col(self.column).is_not_null()
        return [
            Rule(
                name,
                there & pl.col(self.prefix + name).is_null(),
                pl.col(self.prefix + name),
                "a whole answer",
            )
            for name in self._switched_on()
        ]

    def _switched_on(self) -> list[str]:
        switches = {
            "dangling_end": self.dangling_end,
            "no_full_stop": self.no_full_stop,
            "open_fence": self.open_fence,
            "continued": self.continued,
        }
        return [name for name, on in switches.items() if on]
