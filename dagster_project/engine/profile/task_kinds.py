"""What a request asks for, and how it is put, by its first words: rules, and therefore guesses."""

from __future__ import annotations

import polars as pl

READ = 600
"""Characters of a request that are read."""

TASKS = (
    "write code",
    "fix",
    "explain",
    "summarise",
    "translate",
    "classify",
    "extract",
    "rewrite",
    "brainstorm",
    "write text",
    "maths",
    "role play",
    "open question",
    "closed question",
    "chat",
    "other",
)
STYLES = ("question", "request", "statement", "keywords")

_VERBS = {
    "write code": "implement program code refactor port",
    "fix": "fix debug correct repair troubleshoot resolve",
    "explain": "explain describe define discuss teach elaborate clarify illustrate interpret justify "
    "analyze analyse compare contrast tell",
    "summarise": "summarize summarise condense outline shorten",
    "translate": "translate",
    "classify": "classify categorize categorise label tag sort rank rate judge determine detect decide "
    "choose select pick check verify evaluate assess predict",
    "extract": "extract find identify list retrieve get search count highlight locate",
    "rewrite": "rewrite rephrase paraphrase edit improve simplify convert transform reword expand "
    "change modify replace add remove update format proofread turn arrange reformat adapt",
    "brainstorm": "brainstorm suggest propose recommend come think imagine invent plan help",
    "write text": "write compose draft create generate make produce construct build develop design "
    "prepare give provide show complete continue formulate devise craft name",
    "maths": "calculate compute solve simplify integrate differentiate add subtract multiply divide",
    "role play": "act pretend roleplay",
}
_TASK_OF = {verb: task for task, verbs in reversed(_VERBS.items()) for verb in verbs.split()}

_MAKES = ("write text", "brainstorm")
"""Tasks that are to write code, where code is spoken of."""
_MADE_LATER = tuple(verb for verb, task in _TASK_OF.items() if task in _MAKES)

_POLITE = (
    r"^\W*(?:(?:hi|hello|hey)\b[\s,!.]*)?(?:(?:please|kindly|now|also|then)[\s,]+"
    r"|(?:can|could|would|will) you (?:please |kindly )?(?:help me (?:to )?)?"
    r"|i(?:'d| would) (?:like|want) (?:you )?to |i (?:want|need) you to |help me (?:to )?"
    r"|your (?:task|job) is to |you (?:will|should|must|have to|need to) )?"
)
_CODE = (
    r"\b(?:function|program|script|code|class|sql|regexp?|regular expression|python|java"
    r"|javascript|typescript|html|css|php|ruby|rust|golang|kotlin|bash|shell|algorithm|method|api"
    r"|compiler|unit tests?|loop|array|database|webpage|web page|react|pandas|numpy|json|xml|yaml"
    r"|dockerfile|linked list|subroutine|one-liner|command)\b|c\+\+|c#|```"
)
_ROLE = (
    r"^\W*(?:imagine (?:that )?you(?:'re| are)|you are (?:now )?(?:a|an|the)\b|act as\b|pretend\b)"
)
_CHAT = r"^\W*(?:hi|hello|hey|thanks|thank you|good (?:morning|day|evening|night)|bye|goodbye)\b"
_AMOUNT = (
    r"\bhow (?:many|much|long|far|old|tall|fast)\b|\bwhat (?:is|was|are|percent\w*) "
    r"(?:the |his |her |their )?(?:total|sum|product|average|value|ratio|area|volume|probability"
    r"|percent\w*|difference|remainder)\b"
)
_NUMBER = (
    r"\d[\d,.]*|\b(?:two|three|four|five|six|ten|twelve|dozen|half|twice|double|third|each|every)\b"
)
_SUMMARY = r"\b(?:summary|summaries|abstract of|tl;?dr|in a nutshell)\b"
_LATER = rf"(?:[.!?:;,]\s+|\n)(?:please |then |now )?({'|'.join(_TASK_OF)})\b"
"""A verb that begins a later sentence or clause."""
_BUG = (
    r"traceback \(most recent|\b(?:(?:find|detect|identify|spot|locate) .{0,60}"
    r"(?:errors?|bugs?|mistakes?)|(?:error|exception|bug)s? (?:in|with|when)"
    r"|doesn't work|not working|broken)\b"
)
_CLOSED = (
    r"^(?:is|are|am|was|were|do|does|did|has|have|had|can|could|will|would|should|shall|may|might|must"
    r"|who|whom|whose|when|where|which|how (?:many|much|old|long|far|often|tall|big))\b"
)
_OPEN = r"^(?:what|why|how|in what|to what|what's|how's)\b"


def kinds(asked: pl.Series) -> pl.DataFrame:
    """What each request asks for and how it is put: `task`, one of `TASKS`, and `style`, one of
    `STYLES`; null for an empty request.

    Args:
        asked: requests.
    """
    request, said = pl.col("request"), pl.col("said")
    start = pl.col("asked").str.head(READ).str.strip_chars().str.to_lowercase()
    frame = asked.alias("asked").to_frame().select(request=pl.when(start != "").then(start))
    frame = frame.with_columns(  # once each, however often they are asked for below
        said=request.str.replace(_POLITE, ""),
        later=request.str.extract(_LATER),
        code=request.str.contains(_CODE),
        asks=request.str.ends_with("?"),
    ).with_columns(
        verb=said.str.extract(r"^(\p{L}+)").replace_strict(_TASK_OF, default=None),
        closed=said.str.contains(_CLOSED),
        open=said.str.contains(_OPEN),
    )
    told = frame.select(task=_task(), style=_style())
    there = request.is_not_null()
    return (
        frame.select("request")
        .hstack(told)
        .select(pl.when(there).then(name).alias(name) for name in told.columns)
    )


def _task() -> pl.Expr:
    request, said, verb, code = map(pl.col, ("request", "said", "verb", "code"))
    later = pl.col("later").replace_strict(_TASK_OF, default=None)
    numbers = request.str.count_matches(_NUMBER) >= 2
    return (
        pl.when(request.str.contains(_ROLE))
        .then(pl.lit("role play"))
        .when(numbers & request.str.contains(_AMOUNT) & ~code)
        .then(pl.lit("maths"))
        .when(code & request.str.contains(_BUG))
        .then(pl.lit("fix"))
        .when(verb.is_in(_MAKES) & code)
        .then(pl.lit("write code"))
        .when((verb == "write text") & said.str.contains(_SUMMARY))
        .then(pl.lit("summarise"))
        .when(verb.is_not_null())
        .then(verb)
        .when("closed")
        .then(pl.lit("closed question"))
        .when("open")
        .then(pl.lit("open question"))
        .when(request.str.contains(_CHAT))
        .then(pl.lit("chat"))
        .when("asks")
        .then(pl.lit("open question"))
        .when(code & pl.col("later").is_in(_MADE_LATER))
        .then(pl.lit("write code"))
        .otherwise(pl.coalesce(later, pl.lit("other")))
    )


def _style() -> pl.Expr:
    request = pl.col("request")
    asks = pl.col("asks") | request.str.contains(f"{_OPEN}|{_CLOSED}")
    asked_for = pl.col("verb").is_not_null() | pl.col("later").is_not_null()
    few = request.str.contains(r"^\S+(?:\s+\S+){0,3}$") & ~request.str.contains(r"[.!,;:]")
    return (
        pl.when(asks)
        .then(pl.lit("question"))
        .when(asked_for | request.str.contains(r"\bplease\b"))
        .then(pl.lit("request"))
        .when(few)
        .then(pl.lit("keywords"))
        .otherwise(pl.lit("statement"))
    )
