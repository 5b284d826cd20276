"""Boilerplate goes line by line; lines that only look like it stay."""

from __future__ import annotations

import polars as pl
import pytest
from pydantic import ValidationError

from dagster_project.operators.process.remove_boilerplate import RemoveBoilerplate

BODY = "This is the article itself, with a sentence that is about something or other. " * 4
LINES = {
    "cookies": [
        "We use cookies to improve your experience on our site.",
        "This website uses cookies and similar technologies to offer you a better service",
        "By continuing to use this site, you agree to our use of cookies.",
        "Accept all cookies",
        "Privacy Policy",
    ],
    "newsletter": [
        "Subscribe to our weekly newsletter!",
        "Sign up for our newsletter to get the news",
        "Enter your email address",
        "Get the latest stories delivered to your inbox.",
    ],
    "sharing": [
        "Share on Facebook",
        "Share this:",
        "Facebook Twitter LinkedIn",
        "Follow us on Twitter and Facebook",
        "Click to share on Twitter (Opens in new window)",
    ],
    "copyright": [
        "© 2019 Example Ltd",
        "Copyright (c) 2001-2010, Foo. All Rights Reserved.",
        "All rights reserved",
        "Powered by WordPress",
    ],
    "links": [
        "Click here to read the full story",
        "Read more »",
        "• Back to top",
        "« Previous post",
        "Leave a comment",
        "You must be logged in to post a comment.",
        "Skip to main content",
        "Related posts:",
    ],
    "navigation": ["Home | About | Contact", "Home > Products > Shoes", "News · Sport · Login"],
    "byline": [
        "Posted by Ann Smith on May 5, 2019",
        "PostPosted: Wed Aug 08, 2007 7:52 pm",
        "By Ann Lee | March 3, 2020",
        "Last edited by bob on 2019-02-03 10:11",
        "Joined: Sat Apr 13, 2002 5:00 pm",
        "Filed under: news, local news",
        "12 comments",
        "Reply Quote Report",
    ],
    "mail": [
        "On Mon, May 5, 2019 at 9:00 AM, Ann Smith <ann@example.org> wrote:",
        "Sent from my iPhone",
        "-----Original Message-----",
    ],
}
ORDINARY = [
    "We use cookies in this recipe",
    "Accept",
    "The newsletter is out.",
    "Share the cake with all of them.",
    "Copyright law is hard",
    "I read more books than you.",
    "Name | Age | City",
    "| Home | Away |",
    "Home is where the heart is",
    "By Monday",
    "On the road he wrote:",
    "Subject: Application",
    "Categories: sports, politics",
    "Contact",
    "--",
    "",
]


def cleaned(apply, texts: list[str], **options) -> pl.DataFrame:
    operator = RemoveBoilerplate.model_validate({"columns": ["text"], **options})
    return apply(operator, pl.DataFrame({"text": texts}))[0]


@pytest.mark.parametrize("kind", LINES)
def test_each_kind_alone(apply, kind: str) -> None:
    texts = [f"{BODY}\n  {line} \n{BODY}" for lines in LINES.values() for line in lines]
    kept = cleaned(apply, texts, kinds=[kind])
    gone = [line for lines in LINES.values() for line in lines]
    went = [
        line for line, text in zip(gone, kept["text"], strict=True) if text == f"{BODY}\n{BODY}"
    ]
    assert went == LINES[kind]
    assert kept["boilerplate_characters"].sum() == sum(len(line) + 4 for line in went)


def test_ordinary_lines_stay(apply) -> None:
    texts = [f"{BODY}\n{line}\n{BODY}" for line in ORDINARY]
    texts += [f"{BODY}\n```\nRead more\n```\n{BODY}", f"{BODY} Read more"]
    kept = cleaned(apply, texts)
    assert kept["text"].to_list() == texts
    assert kept["boilerplate_characters"].sum() == 0


def test_mail(apply) -> None:
    header = "----- Original Message -----\nFrom: a\nSent: b\nSubject: c\n\n"
    texts = [f"{BODY}\n{header}> hello", f"{BODY}\n-- \nAnn\nACME", f"a\n-- \n{BODY}"]
    kept = cleaned(apply, texts)
    assert kept["text"].to_list() == [f"{BODY}\n\n> hello", f"{BODY}\n", texts[2]]


def test_a_text_that_would_lose_too_much_stays(apply) -> None:
    texts = ["Read more\nBack to top\nshort", "Read more\nas long as it", "", None]
    kept = cleaned(apply, texts)
    assert kept["text"].to_list() == [texts[0], "as long as it", "", None]
    assert kept["boilerplate_left"].to_list() == [1, 0, 0, 0]
    assert kept["boilerplate_characters"].to_list() == [0, 10, 0, 0]
    assert cleaned(apply, texts, max_share=1)["text"].to_list()[0] == "short"


def test_own_patterns_and_long_lines(apply) -> None:
    texts = [f"{BODY}\nAd closed.\nRead more\nClick here to {'x' * 200}\n"]
    kept = cleaned(apply, texts, kinds=[], patterns=["ad (?:closed|open)"])
    assert kept["text"].to_list() == [texts[0].replace("Ad closed.\n", "")]
    kept = cleaned(apply, texts)
    assert kept["text"].to_list() == [texts[0].replace("Read more\n", "")]
    with pytest.raises(ValidationError, match=r"'\(' is not a regular expression"):
        RemoveBoilerplate(columns=("text",), patterns=("(",))
    with pytest.raises(ValidationError, match="nothing is removed"):
        RemoveBoilerplate(columns=("text",), kinds=())
