"""Phrases by which answers of other assistants give themselves away, as Rust regular expressions.

They are matched at word boundaries and without regard to case. A space stands for any white space,
an apostrophe for any of its variants or none, as in `can't`, `can’t`, `cant`; and `<model>` and
the other names in angle brackets for the parts below.
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
    r"|mixtral|ernie bot|chatglm|vicuna|open ?assistant|stablelm|bing chat|phi-[1-4]|gemma[ -]?[1-4]"
    r"|grok[ -][1-4]|kimi k[12]|internlm|doubao)",
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
    # What it is besides: "I'm an AI, so …"; and what people in offices and stories are as well.
    "<self>": r"(?:an ai|an artificial intelligence|an? (?:[a-z]+ )?(?:chat ?bot|language model"
    r"|neural network|machine learning model)|an ai (?:language )?(?:model|assistant|chatbot|system"
    r"|program))",
    "<selfish>": r"an? (?:virtual assistant|digital assistant|computer program|computer|program|bot"
    r"|robot|machine)",
    # What somebody who refuses says: that it is not possible, not allowed, not wanted.
    "<cannot>": r"(?:can't|cannot|can not|won't|will not|shouldn't|should not|refuse to|decline to"
    r"|(?:am |'m )?(?:not (?:really )?(?:able|allowed|permitted|authori[sz]ed|qualified|willing"
    r"|prepared|supposed|going|in a position) to|unable to)|won't be able to|will not be able to"
    r"|(?:choose|prefer)(?:red)? not to|(?:would|'d) (?:rather not|prefer not to)|don't feel"
    r" comfortable|(?:am |'m )not comfortable|(?:don't|do not) think (?:that )?i (?:can|could|should"
    r"|am able to))",
    # What assistants do: not "find", "wait", "attend", nor "see the stars".
    "<help>": r"(?:assist|aid|advise|help (?:you|him|her|them|people|anyone|anybody|someone|with|in|plan"
    r"|write|make|create)|be of (?:any |further )?(?:help|assistance|service)|comply|fulfil+|accommodate"
    r"|provide|offer (?:you )?(?:any |advice|guidance|instructions|medical|legal|financial|help)"
    r"|give (?:you )?(?:any |(?:[a-z]+ ){0,2}(?:advice|instructions|guidance|information|details"
    r"|opinions?|recommendations?|legal|medical|financial)|out|that|this|the (?:dos|recipe|address"
    r"|exact|answer|password))|write (?:that|this|it|such|a|an|the|any|about|something|jokes|hateful"
    r"|content|stories|code (?:that|for))|generate|create (?:any|content|material|such|that|this|a|an"
    r"|images)|produce (?:any|content|such|that|this|material)|compose|engage (?:in|with)|answer"
    r" (?:that|this|your|the|such|any|questions)|discuss|share (?:that|this|such|any"
    r"|personal|private|information|instructions|details)|participate in|recommend (?:any|that"
    r" you|specific|a|an)|do (?:that|this|so|what you)|say (?:that|this|such|anything)|disclose"
    r"|reveal|comment on|tell (?:you (?:how to|what|who|which|where|when|whether|if|about|that|the)"
    r"|jokes|that|a|racist|sexist)|complete (?:this|that|your)|perform (?:this|that|such)|respond"
    r"|carry out|process (?:this|that|your)|access (?:the|your|any|websites?|links?|files?|external)"
    r"|browse|open (?:the|your|that|this|attach|links?|files?)|view (?:the|your|that|this|images?)"
    r"|endorse|condone|encourage|promote|facilitate|role-?play|pretend|impersonate|speculate|make"
    r" (?:jokes|that joke|fun of|light of|such|any|phone calls)|talk about|go along|support (?:any"
    r"|illegal|that|this|such|or|violence|hat))",
    "<doing>": r"(?:with|about|advising|recommending|offering|answering|helping|giving|sharing|talking"
    r"|discussing|providing|writing|doing|telling|saying|making|creating|generating|assisting|engaging|pretending)",
    "<rules>": r"(?:(?:ethical |content |safety |usage |core )?(?:guidelines|policy|policies"
    r"|principles|values|rules|ethics|programming|capabilities))",
    # What gives answers their knowledge, and what is in it only if it is new.
    "<known>": r"my (?:training data|training|knowledge(?: base)?|data(?:base|set)?|information)",
    "<news>": r"(?:real[- ]time|up[- ]to[- ](?:date|the[- ]minute)|(?:live|current|today's|the latest"
    r"|present) (?:[a-z]+ ){0,2}(?:information|data|news|scores?|prices?|rates?|weather|forecasts?"
    r"|results?|updates?|events|traffic|conditions|date|time|status|feeds?))",
    "<web>": r"(?:the )?(?:internet|world wide web|web)",
}

REFUSALS: tuple[str, ...] = (
    # An apology and a refusal: "I'm sorry, but I can't go into that", "I'm afraid I must say no".
    r"(?:sorry|afraid|apologi[sz]e|apologies)[,.;:!]*(?: for [^.!?\n]+[,.;:!])?(?: but| that| as"
    r"| however)?,? (?:i|we) ?(?:really |simply |just )?<cannot> (?:to )?(?:<help>|help|offer|give"
    r"|write|create|produce|engage|answer|continue|support|share|recommend|do it|tell you how"
    r"|complete|perform|access|open|see|view|predict|translate)",
    # A refusal alone: "I cannot assist with that request", "I'd rather not do that".
    r"i ?(?:simply |really |just |also |still |unfortunately |respectfully )?<cannot>(?: [a-z]+ly)?"
    r" (?:to )?<help>",
    r"i (?:don't|do not) (?:have|possess) the (?:ability|capability|capacity|capabilities|authority)"
    r" to",
    r"i (?:don't|do not) (?:provide|assist|give out|engage in|condone|share (?:personal|private"
    r"|other|people|such|that|this|any|instructions|information))",
    # Reluctance: "I don't feel comfortable writing …", "I must decline", "I'll have to pass".
    r"i(?: don't| do not|'m not| am not) (?:feel |really )*(?:comfortable|right|good|at ease) <doing>",
    r"i(?: must|'ll| will| have to| need to|'m going to| am going to)(?: have to| need to)?"
    r" (?:respectfully |politely )?(?:decline|refuse|pass on (?:this|that)|say no to (?:this|that))",
    r"i (?:respectfully |politely )?decline (?:this|that|your)",
    # "That's not something I can do", "This is something I won't do".
    r"(?:this|that|it)(?:'s| is) something (?:that )?i (?:can't|cannot|can not|won't|will not|am unable"
    r" to|'m unable to)",
    r"(?:not|isn't|don't think (?:this|that|it)(?:'s| is)) (?:really )?(?:something|anything|a (?:topic"
    r"|subject|request)) (?:that )?i(?: do| (?:can|could|will) (?:do|help|write|share|discuss|provide)"
    r"|(?: am|'m) (?:willing|able|comfortable|prepared|going))",
    # Excuses by nature: "As an AI language model, I cannot …".
    r"as (?:just |only |merely )?(?:<kind>|an ai),? (?:[a-z]+ly,? )?i(?:'m| am| do|)(?: [a-z]+ly)? ?"
    r"(?:don't|do not|can't|cannot|can not|not|unable|lack|have no|have not|haven't|won't|will not"
    r"|shouldn't|must|was not|wasn't)",
    # Policy: "It is not appropriate for me to …", "it goes against my guidelines".
    r"(?:not|don't|isn't|wouldn't|inappropriate|unethical|irresponsible|wrong|illegal)(?: (?:think"
    r"|believe|feel) (?:that )?(?:it|that|this)(?:'s| is| would))?(?: be)?(?: appropriate| ethical"
    r"| possible| right| responsible| okay| ok| proper| safe)? for me to (?:<help>|give"
    r"|write|create|take sides|express|judge|say|suggest|do)",
    r"(?:against|violates?|violating|outside|beyond) my <rules>",
    r"i(?: am|'m| was|'ve been| have been) (?:designed|programmed|trained|instructed|made|built)"
    r" (?:not to|to (?:avoid|refuse|decline|be harmless))",
    r"(?:this|your|the|that) (?:request|question|prompt|content) (?:violates|goes against|is against"
    r"|may violate) (?:[a-z]+ ){0,2}(?:policy|policies|guidelines|terms)",
)
"""Answers that refuse. Not among them: "I'm sorry to hear that", "I don't know", "I don't
understand", "I can't help but", "I can't wait", "I can't recommend it enough"."""

IDENTITIES: tuple[str, ...] = (
    # "I am ChatGPT", "my name is Qwen", "as ChatGPT, I …", "You are talking to Qwen".
    r"(?:i am|i'm|my name is|i go by|(?:talking|chatting|speaking) (?:to|with)) (?:called |named"
    r" |known as |not |the (?:[a-z]+ ){0,2}(?:model|assistant|chatbot) )?<model>",
    r"as <model>,? i",
    r"<model>(?:[ -]?[v\d][\w.]*)? is my name",
    # "I'm Claude, an AI assistant", "This is Gemini, Google's AI": not Claude Monet, nor a Gemini.
    r"(?:i am|i'm|my name is|this is) (?:called )?(?:<namesake>|<model>),? (?:and i(?:'m| am) )?(?:an?"
    r" |the |your )?(?:[a-z]+ ){0,3}(?:ai|artificial intelligence|language model|assistant|chatbot|by"
    r" <maker>|<maker>'s)",
    # "I am powered by GPT-4", "I'm a version of LLaMA 2".
    r"(?:i am|i'm|i was|i've been) (?:[a-z]+ ){0,3}(?:based on|powered by|built on|version of"
    r"|instance of|variant of) (?:the |<maker>'s )?(?:<model>|<namesake>)",
    # "I am a language model trained by OpenAI", "I was created by the team at Anthropic".
    r"(?:i am|i'm|i was|i've been|i have been|as) [^.!?\n]*?(?:developed|created|trained|made"
    r"|built|designed|programmed|owned)(?: and [a-z]+)? by (?:the )?(?:(?:company|team|people"
    r"|researchers|engineers|scientists)(?: at)? )?<maker>",
    r"(?:i am|i'm|as) (?:an? )?<maker>'s (?:[a-z]+ ){0,2}(?:language model|assistant|chatbot|ai)",
    r"<maker> (?:created|developed|trained|made|built|programmed|designed) me",
    r"my (?:creators?|developers?|makers?|trainers?|engineers),?(?: at| is| are)? <maker>",
    # "As an AI language model, …", "I am a large language model": no name, but no person either.
    r"as (?:an?|the) (?:[a-z]+ ){0,2}(?:ai|artificial intelligence|language) (?:language )?model",
    r"(?:as|being) (?:<kind>|<self>),? (?:[a-z]+ly,? )?(?:i|my)",
    r"(?:i am|i'm) (?:just |only |merely |actually )?(?:an? (?:[a-z]+ ){0,2}(?:ai|artificial"
    r" intelligence) (?:language model|assistant|model|chatbot)|a (?:[a-z]+ ){0,2}language model)",
    # "I'm an AI, so I have …", "I'm just a bot": not an AI engineer, nor a bot developer.
    r"(?:i am|i'm) (?:(?:just|only|merely|simply|actually) )?<self>(?:[.!]?\z|[,.;:!?]+ \w+| (?:and|so"
    r"|but|that|which|without|with no|trained|designed|created|built|made|developed|rather|not))",
    r"(?:i am|i'm) (?:just|only|merely|simply) <selfish>(?:[.!]?\z|[,.;:!?]+ \w+| (?:and|so|but|that"
    r"|which|without|with no))",
    r"(?:i am|i'm|being|as) <selfish>(?:,? (?:and|so|therefore|which means))?,? (?:[a-z]+ )?i (?:don't|do"
    r" not|can't|cannot|never|have no|have never|am not|lack)",
    r"like (?:all|any|most|many|other) (?:other )?(?:large )?(?:language models?|ai (?:models?"
    r"|assistants?|systems?)|chatbots?),? i",
)
"""Answers in which the assistant says which model it is, or that it is one."""

CUTOFFS: tuple[str, ...] = (
    # "my knowledge cutoff", "As of my last update in 2021".
    r"(?:knowledge|training(?: data)?|my (?:[a-z]+ )?(?:data|information)|my)[ -]cut-? ?off",
    r"(?:as of|until|up to|since|at the time of) my (?:(?:last|latest|most recent|current) "
    r"(?:(?:knowledge|training|data|programming)(?: data)?(?: update| cut-?off)?|update)"
    r"|(?:knowledge|training|data|programming)(?: data)?(?: update| cut-?off)?)",
    r"my (?:last|latest|most recent) (?:(?:knowledge |training )?update|training)",
    # "My training data only goes up to 2021", "I was trained on data up to September 2021".
    r"<known>,? (?:which |that |only |is |was |has |does not |doesn't |did not )*(?:extends?|goes|go"
    r"|ends?|ended|stops|stopped|covers|reach(?:es)?|runs|current|limited|up to date|last updated|updated"
    r"|cut off|based on|been updated|includes?)(?: [a-z]+){0,5} 20[12]\d",
    r"<known> (?:is|was|has) (?:only )?(?:last updated|not been updated|current (?:up )?(?:to|as of)"
    r"|limited to (?:information|data|what (?:was|is)|events))",
    r"<known> (?:may|might|could|is|are|will) (?:not )?(?:be )?(?:already )?(?:out of date|outdated"
    r"|up[- ]to[- ]date|current)",
    r"(?:i was|i have been|i've been) (?:last |only )?(?:trained|updated) (?:on data )?(?:up |only )?"
    r"(?:to|until|through|in) (?:[a-z]+ )?20[12]\d",
    # "I do not have information about events after 2022", "… after my last update".
    r"(?:don't|do not|doesn't|cannot|can't|no) (?:have )?(?:access to )?(?:any )?(?:information|data"
    r"|knowledge|events|know)(?: [a-z]+){0,6} (?:after|beyond|past|since) (?:[a-z]+ )?(?:20[12]\d|my"
    r" (?:last |latest )?(?:training|knowledge|update))",
    # "I don't have access to real-time data", "I can't browse the internet".
    r"i(?: don't have| do not have| have no| can't have| cannot have| lack)(?: [a-z]+)?(?: access to"
    r"| connection to)?(?: any| the)? (?:<news>|<web>)",
    r"i(?: don't| do not) (?:[a-z]+ly )?have (?:[a-z]+ )?(?:access to )?<news>",
    r"i(?: can't| cannot| can not| am unable to|'m unable to| am not able to|'m not able to| don't have"
    r" the ability to| do not have the ability to)(?: [a-z]+ly)? (?:(?:browse|search|access|surf|connect"
    r" to|look (?:that|this|it) up on) <web>|(?:access|check|look up|provide|give|retrieve|fetch|see|get"
    r"|offer|tell)(?: you)?(?: with)?(?: any)? <news>)",
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
    return rf"(?i)(?-u:\b)(?:{pattern})(?:(?-u:\b)|\z)"
