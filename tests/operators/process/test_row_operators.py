"""What holds for every row operator, whatever the rows."""

from __future__ import annotations

import inspect

import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.errors import SeedbedError
from dagster_project.operators.base import Operator, RowOperator
from dagster_project.operators.calling import CallingOperator
from dagster_project.operators.generator import Generator
from dagster_project.operators.process.convert_chat import ConvertChat
from dagster_project.operators.process.detect_language import DetectLanguage
from dagster_project.operators.process.filter_answer_language import FilterAnswerLanguage
from dagster_project.operators.process.filter_assistant_phrases import FilterAssistantPhrases
from dagster_project.operators.process.filter_broken_markup import FilterBrokenMarkup
from dagster_project.operators.process.filter_c4 import FilterC4
from dagster_project.operators.process.filter_chat_structure import FilterChatStructure
from dagster_project.operators.process.filter_copied_prompt import FilterCopiedPrompt
from dagster_project.operators.process.filter_fineweb import FilterFineweb
from dagster_project.operators.process.filter_gopher_quality import FilterGopherQuality
from dagster_project.operators.process.filter_gopher_repetition import FilterGopherRepetition
from dagster_project.operators.process.filter_language import FilterLanguage
from dagster_project.operators.process.filter_length import FilterLength
from dagster_project.operators.process.filter_profanity import FilterProfanity
from dagster_project.operators.process.filter_repeated_sentences import FilterRepeatedSentences
from dagster_project.operators.process.filter_rows import FilterRows
from dagster_project.operators.process.filter_text import FilterText
from dagster_project.operators.process.filter_truncated import FilterTruncated
from dagster_project.operators.process.map_columns import MapColumns
from dagster_project.operators.process.measure_length import MeasureLength
from dagster_project.operators.process.normalize_text import NormalizeText
from dagster_project.operators.process.redact_pii import RedactPii
from dagster_project.operators.process.split_text import SplitText
from dagster_project.operators.process.strip_html import StripHtml
from dagster_project.operators.process.strip_markdown import StripMarkdown
from dagster_project.operators.process.to_messages import ToMessages
from dagster_project.operators.registry import built_in_operators
from dagster_project.recipe.model import GeneratedInput, Step

BOTH = ["text", "messages"]
OPERATORS = [
    ConvertChat.model_validate({"from": "messages", "to": "alpaca"}),
    ConvertChat.model_validate({"from": "messages", "to": "sharegpt"}),
    DetectLanguage(column="messages"),
    FilterLanguage(column="text", keep=("en",)),
    FilterLength(column="messages", min_words=2, max_tokens=9),
    FilterRows(keep="number > 1 AND text LIKE '%a%'"),
    FilterText(column="messages", pattern="a|é", keep="matching"),
    MapColumns(add={"twice": "text || text"}, rename={"number": "n"}, cast={"messages": "text"}),
    MeasureLength(column="text"),
    NormalizeText(columns=("text", "messages")),
    NormalizeText(columns=("text", "messages"), form="NFKC", whitespace="collapse"),
    StripHtml(columns=("text", "messages")),
    StripMarkdown(columns=("text", "messages")),
    ToMessages(user="{text} {number}", assistant="{{}}", into="chat"),
    FilterAnswerLanguage(min_characters=1),
    FilterAnswerLanguage(column="text", prompt="text"),
    FilterAssistantPhrases(),
    FilterBrokenMarkup(),
    FilterC4(column="text", min_sentences=1),
    FilterChatStructure(max_turns=2),
    FilterCopiedPrompt(min_words=3, min_echo_words=1),
    FilterFineweb(column="text"),
    FilterGopherQuality(column="text", min_words=1),
    FilterGopherRepetition(column="text"),
    FilterProfanity(column="messages"),
    FilterRepeatedSentences(column="messages"),
    FilterTruncated(min_words=1),
    RedactPii(columns=("text", "messages"), max_found=1),
]
ELSEWHERE = {
    "classify_texts",  # need a model or a reference
    "filter_consent",
    "filter_perplexity",
    "filter_quality",
    "extract_final_answer",
    "measure_difficulty",
    "read_exchanges",  # of its own kind of rows
    "change_case",  # clean texts, see test_text_cleaners
    "clean_code_fences",
    "fix_mojibake",
    "parse_code",
    "redact_names",
    "remove_boilerplate",
    "remove_characters",
    "remove_urls",
    "strip_latex",
}
SPLITS = [
    SplitText(column="text", at="heading"),
    SplitText(column="text", at="line", into="line", max_characters=7),
]
MESSAGE = pl.Struct({"role": pl.String, "content": pl.String})
SCHEMA = {"row": pl.Int64, "text": pl.String, "number": pl.Int64, "messages": pl.List(MESSAGE)}


@st.composite
def frames(draw: st.DrawFn, texts: st.SearchStrategy[str | None]) -> pl.DataFrame:
    roles = st.sampled_from(["system", "user", "assistant", "tool", "user assistant", None])
    message = st.none() | st.builds(lambda r, c: {"role": r, "content": c}, roles, texts)
    chat = st.none() | st.lists(message, max_size=3)
    rows = draw(st.lists(st.tuples(texts, st.none() | st.integers(0, 3), chat), max_size=8))
    return pl.DataFrame([(i, *row) for i, row in enumerate(rows)], SCHEMA, orient="row")


@pytest.mark.parametrize("operator", [*OPERATORS, *SPLITS], ids=repr)
@settings(max_examples=8, deadline=None, derandomize=True)
@given(data=st.data())
def test_no_row_is_lost_however_the_rows_are_cut(operator: Operator, apply, texts, data) -> None:
    frame = data.draw(frames(texts))
    cuts = data.draw(st.lists(st.integers(0, 8), max_size=2))
    kept, removed = apply(operator, frame)
    assert sorted({*kept["row"], *removed["row"]}) == frame["row"].to_list()
    assert not {*kept["row"]} & {*removed["row"]}
    assert removed["error"].null_count() == removed.height, "no text makes it raise"
    assert removed.filter(pl.col("rule").is_null() | pl.col("threshold").is_null()).is_empty()
    kept_in_parts, removed_in_parts = apply(operator, frame, cuts)
    assert kept_in_parts.equals(kept)
    assert removed_in_parts.equals(removed)


def test_every_row_operator_is_here_or_has_tests_of_its_own() -> None:
    known = {
        name
        for name, kind in built_in_operators().items()
        if issubclass(kind, RowOperator) and not issubclass(kind, CallingOperator)
    }
    assert known == {operator.operator_name() for operator in OPERATORS} | ELSEWHERE


@pytest.mark.parametrize(
    "operator", [each for each in OPERATORS if isinstance(each, NormalizeText)], ids=repr
)
@settings(max_examples=20, deadline=None, derandomize=True)
@given(data=st.data())
def test_normalizing_twice_is_normalizing_once(operator: Operator, apply, texts, data) -> None:
    once, _ = apply(operator, data.draw(frames(texts)))
    twice, _ = apply(operator, once)
    assert twice.equals(once)


@pytest.mark.parametrize(
    "operator",
    [
        DetectLanguage(column="number"),
        FilterLength(column="number", min_words=1),
        FilterText(column="number", pattern="a", keep="matching"),
        MeasureLength(column="number"),
        NormalizeText(columns=("number",)),
        StripHtml(columns=("number",)),
        StripMarkdown(columns=("number",)),
        SplitText(column="number"),
        ConvertChat.model_validate(
            {"from": "messages", "to": "alpaca", "names": {"messages": "number"}}
        ),
    ],
    ids=lambda operator: operator.operator_name(),
)
def test_a_column_of_the_wrong_type_is_named(operator: Operator, apply) -> None:
    what = rf"{operator.operator_name()}: column 'number' is Int64, but must be .*(text|messages)"
    with pytest.raises(SeedbedError, match=what):
        apply(operator, pl.DataFrame(schema=SCHEMA))


@pytest.mark.parametrize("name", list(built_in_operators()))
def test_the_example_in_the_catalogue_is_a_step(name: str) -> None:
    operator = built_in_operators()[name]
    example = (inspect.getdoc(operator) or "").partition("Example:\n")[2].partition("\n\n")[0]
    if issubclass(operator, Generator):
        step = GeneratedInput.model_validate(yaml.safe_load(example)).generate
    else:
        (step,) = [Step.model_validate(step) for step in yaml.safe_load(example)]
    assert step.operator == name
    operator.model_validate(step.parameters)
