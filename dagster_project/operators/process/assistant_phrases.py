"""Phrases by which answers of other assistants give themselves away, as Rust regular expressions.

They are matched at word boundaries and without regard to case. A space stands for any white space,
an apostrophe for any of its variants or none, as in `can't`, `can’t`, `cant`; and `<model>`,
`<namesake>`, `<maker>`, `<kind>`, `<cannot>` and `<help>` for the parts below.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

PARTS = {
    # Names that only models bear.
    "<model>": r"(?:chat ?gpt(?:-?[345](?:\.5)?)?|gpt-?[345](?:\.5|o)?(?:-turbo)?|instructgpt"
    r"|claude[ -](?:instant|[1-4]|opus|sonnet|haiku)|google (?:bard|gemini)"
    r"|gemini[ -](?:pro|ultra|nano|[12])|llama[ -]?[1-4]|qwen(?:[ -]?[1-3](?:\.5)?)?"
    r"|tongyi qianwen|deepseek(?:[ -]?(?:v[23]|r1|chat|coder))?|mistral[ -](?:ai|\d+b|large|small)"
    r"|mixtral|ernie bot|chatglm|vicuna|open ?assistant|stablelm|bing chat|phi-[1-4])",
    # Names of models that people, animals and things bear as well; alone they mean nothing.
    "<namesake>": r"(?:claude|bard|gemini|llama|mistral|kimi|grok|copilot|alpaca|koala|dolly|gemma)",
    # Companies and groups that make assistants.
    "<maker>": r"(?:open ?ai|anthropic|google(?: deepmind| ai| research)?|deepmind|meta(?: ai)?"
    r"|facebook ai|alibaba(?: cloud)?|deepseek|mistral ai|baidu|moonshot ai|zhipu(?: ai)?|01\.ai"
    r"|lmsys|large model systems organization|laion|stability ai|databricks|cohere|microsoft|xai)",
    # What an assistant calls itself: "a large language model", "an AI assistant".
    "<kind>": r"(?:an? |the )?(?:[a-z]+ ){0,2}(?:ai|artificial intelligence|language|chat|virtual"
    r"|digital|machine|computer)(?:[ -](?:based|powered|trained))?(?: (?:language|learning|text"
    r"|chat))? (?:model|assistant|bot|chatbot|program|system)",
    # What somebody who refuses does not do, and what it is that is not done.
    "<cannot>": r"(?:can't|cannot|can not|won't|will not|(?:am |'m )?(?:not able to|unable to"
    r"|not allowed to|not permitted to|not going to)|don't feel comfortable|(?:am |'m )not"
    r" comfortable|must decline|have to decline)",
    "<help>": r"(?:help|assist|comply|fulfil+|provide|offer|give|write|create|generate|produce"
    r"|compose|engage|answer|discuss|share|continue|participate|support|advise|recommend"
    r"|do (?:that|this|it)|say that|disclose|comment on|tell you how|accommodate|complete|perform"
    r"|respond|carry out|process|access|browse|open|see|view|predict|translate|endorse|condone"
    r"|encourage|promote|facilitate|role-?play|speculate|make jokes|talk about|go along)",
}

REFUSALS: tuple[str, ...] = (
    # An apology and a refusal: "I'm sorry, but I can't help with that."
    r"(?:sorry|afraid)[,.;:!]*(?: but| that| as| however)?,? (?:i|we) ?(?:really |simply |just )?"
    r"<cannot> (?:to )?<help>",
    r"apologi[sz]e[,.;:!]*(?: for [^.!?\n]+[,.;:!])?(?: but)?,? i ?(?:really |simply )?"
    r"<cannot> (?:to )?<help>",
    # A refusal alone: "I cannot assist with that request", "I won't provide instructions for …".
    r"i ?(?:simply |really |just )?(?:can't|cannot|can not|won't|will not|(?:am |'m )(?:unable|not"
    r" able) to)(?: [a-z]+ly)? (?:assist|help you|help with|comply|fulfil+|engage in|participate in"
    r"|provide (?:you with )?(?:any )?(?:information|instructions|guidance|assistance|advice|support"
    r"|help|content|a response|that|this|medical|legal|financial)|generate (?:content|text|images"
    r"|responses)|support (?:or|any|illegal)|condone|endorse|promote|encourage|create (?:content"
    r"|material)|answer (?:that|this)|discuss (?:that|this)|write (?:that|this))",
    # Reluctance: "I don't feel comfortable writing …", "I must decline".
    r"i(?: don't| do not|'m not| am not) (?:feel |really )*comfortable (?:with|answering|helping"
    r"|giving|sharing|talking|discussing|providing|writing|doing|telling|saying|making)",
    r"i (?:must|have to|need to|will have to) (?:respectfully |politely )?(?:decline|refuse)",
    # Excuses by nature: "As an AI language model, I cannot …".
    r"as (?:just |only |merely )?(?:<kind>|an ai),? (?:[a-z]+ly,? )?i(?:'m| am| do|)(?: [a-z]+ly)? ?"
    r"(?:don't|do not|can't|cannot|can not|not|unable|lack|have no|have not|haven't|won't|will not"
    r"|shouldn't|must|was not|wasn't)",
    # Policy: "It is not appropriate for me to …", "it goes against my guidelines".
    r"(?:it is|it's|it would be|would) not (?:be )?(?:appropriate|ethical|possible) for me to",
    r"(?:against|violates?|outside|beyond) my (?:programming|capabilities"
    r"|(?:ethical |content |safety |usage )?(?:guidelines|policy|policies))",
    r"(?:this|your|the|that) (?:request|question|prompt|content) (?:violates|goes against|is against"
    r"|may violate) (?:[a-z]+ ){0,2}(?:policy|policies|guidelines|terms)",
)
"""Answers that refuse. Not among them: "I'm sorry to hear that", "I don't know", "I don't
understand", "I can't help but"."""

IDENTITIES: tuple[str, ...] = (
    # "I am ChatGPT", "my name is Qwen", "as ChatGPT, I …".
    r"(?:i am|i'm|my name is) (?:called |named |known as |not )?<model>",
    r"as <model>,? i",
    # "I'm Claude, an AI assistant", "I am Gemini, made by Google": not Claude Monet, nor a Gemini.
    r"(?:i am|i'm|my name is) (?:called )?<namesake>,? (?:and i(?:'m| am) )?(?:an? |the )?"
    r"(?:[a-z]+ ){0,3}(?:ai|artificial intelligence|language model|assistant|chatbot|by <maker>)",
    # "I am powered by GPT-4", "I'm a version of LLaMA 2".
    r"(?:i am|i'm|i was|i've been) (?:[a-z]+ ){0,3}(?:based on|powered by|built on|version of"
    r"|instance of|variant of) (?:the |<maker>'s )?(?:<model>|<namesake>)",
    # "I am a language model trained by OpenAI", "I was created by the team at Anthropic".
    r"(?:i am|i'm|i was|i've been|i have been|as) [^.!?\n]*?(?:developed|created|trained|made"
    r"|built|designed|programmed|owned)(?: and [a-z]+)? by (?:the )?(?:(?:company|team|people"
    r"|researchers|engineers|scientists)(?: at)? )?<maker>",
    r"(?:i am|i'm|as) (?:an? )?<maker>'s (?:[a-z]+ ){0,2}(?:language model|assistant|chatbot|ai)",
    r"<maker> (?:created|developed|trained|made|built|programmed|designed) me",
    # "As an AI language model, …", "I am a large language model": no name, but no person either.
    r"as (?:an?|the) (?:[a-z]+ ){0,2}(?:ai|artificial intelligence|language) (?:language )?model",
    r"as (?:<kind>|an ai),? (?:[a-z]+ly,? )?(?:i|my)",
    r"(?:i am|i'm) (?:just |only |merely |actually )?(?:an? (?:[a-z]+ ){0,2}(?:ai|artificial"
    r" intelligence) (?:language model|assistant|model|chatbot)|a (?:[a-z]+ ){0,2}language model)",
)
"""Answers in which the assistant says which model it is, or that it is one."""

CUTOFFS: tuple[str, ...] = (
    # "my knowledge cutoff", "As of my last update in 2021".
    r"(?:knowledge|training|training data|data|information)[ -]cut-? ?off",
    r"(?:as of|until|up to|since|at the time of) my (?:last|latest|most recent|current)? ?"
    r"(?:knowledge|training|data|update|programming)(?: data)?(?: update| cut-?off)?",
    r"my (?:last|latest|most recent) (?:knowledge |training )?update",
    # "My training data only goes up to 2021", "I was trained on data up to September 2021".
    r"my (?:training data|knowledge|training|data(?:base)?|information) (?:only )?(?:extends|goes"
    r"|ends|ended|stops|is (?:only )?(?:current|limited|up to date)|was last updated|has not been"
    r" updated|is based on)(?: only)?(?: up)? (?:to|until|in|at|as of|through|on data)",
    r"(?:i was|i have been|i've been) (?:last |only )?(?:trained|updated) (?:on data )?(?:up |only )?"
    r"(?:to|until|through|in) (?:[a-z]+ )?20[12]\d",
    # "I do not have information about events after 2022", "I don't have access to real-time data".
    r"(?:don't|do not|doesn't|cannot|can't|no) (?:have )?(?:access to )?(?:any )?(?:information|data"
    r"|knowledge|events)(?: [a-z]+){0,3} (?:after|beyond|past|since) (?:[a-z]+ )?20[12]\d",
    r"i (?:don't|do not|can't|cannot) (?:[a-z]+ly )?have (?:[a-z]+ )?(?:access to )?(?:real[- ]time"
    r"|up[- ]to[- ]date|current|live) (?:information|data|news|access)",
)
"""Answers that say until when their model's knowledge goes."""


def compiled(phrases: Iterable[str]) -> str:
    """One pattern for all phrases, as this module says they match. Word boundaries are those of
    ASCII, with which Rust's engine stays fast on any text."""
    pattern = "|".join(phrases)
    for name, part in PARTS.items():
        pattern = pattern.replace(name, part)
    pattern = pattern.replace("'", "(?:['’ʼ`´]?)")
    pattern = re.sub(r" (\??)", lambda found: r"\s*" if found[1] else r"\s+", pattern)
    return rf"(?i)(?-u:\b)(?:{pattern})(?-u:\b)"
