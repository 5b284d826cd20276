"""Lines that web pages, forums and mails put around their texts, as Rust regular expressions.

Each is the whole of a line but for white space, a list mark before it and punctuation after it; case
does not count, and an apostrophe stands for any of its variants.
"""

from __future__ import annotations

from typing import Literal

KindName = Literal[
    "cookies", "newsletter", "sharing", "copyright", "links", "navigation", "byline", "mail"
]

DATE = (
    r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?,? )?"
    r"(?:(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]*\.? \d{1,2}(?:st|nd|rd|th)?"
    r"(?:,? \d{4})?|\d{1,2}(?:st|nd|rd|th)? (?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
    r"\.?(?:,? \d{4})?|\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}"
    r"|\d+ (?:minute|hour|day|week|month|year)s? ago|today|yesterday)"
)
TIME = r"(?:,? ?(?:at |@ ?)?\d{1,2}:\d{2}(?::\d{2})? ?(?:[ap]\.?m\.?)?(?: [a-z]{2,4})?)?"
NAME = r"[^\s,|]+(?: [^\s,|]+){0,3}"
NETWORK = (
    r"(?:facebook|twitter|x|linked ?in|pinterest|reddit|whats ?app|tumblr|instagram|telegram|e-?mail"
    r"|google\+?|google plus|youtube|rss|pocket|print|copy link|stumbleupon|digg|more)"
)
PAGE = (
    r"(?:home(?: ?page)?|about(?: us)?|contact(?: us)?|blog|news|log ?in|log ?out|sign ?(?:in|up|out)"
    r"|register|privacy(?: policy| notice)?|terms(?: (?:of (?:use|service)|(?:and|&) conditions))?"
    r"|legal(?: notice)?|disclaimer|imprint|faqs?|help(?: cent(?:er|re))?|search|site ?map|careers|jobs"
    r"|shop|store|products|services|support|cart|checkout|my account|gallery|events|forums?|archives?"
    r"|advertise(?: with us)?|press|donate|subscribe|newsletter|feedback|accessibility|cookies"
    r"(?: policy| settings)?|rss|members?(?: list)?|categories|resources|portfolio|testimonials)"
)
BETWEEN = r"\s*(?:[|·•»›>/–—]|::)\s*"
ITEM = r"[\w'&.-]+(?: [\w'&.-]+){0,2}"
SITE = r"(?:web ?)?(?:site|page|app|service)s?"

KINDS: dict[KindName, tuple[str, ...]] = {
    "cookies": (
        rf"(?:we|this {SITE}|our {SITE}|the {SITE}|[\w.]+\.com)(?: and (?:our|its) partners)?(?: also)?"
        r" uses? (?:[\w-]+ ){0,3}cookies(?: and [\w -]+)? (?:and|to|on|so|for|in order) .*",
        rf"by (?:continuing|using|browsing|clicking|visiting) .*(?:{SITE}|cookies|accept).* (?:you|I)"
        r" (?:are )?(?:agree|consent|accept|acknowledge)(?:ing)?.*",
        r"(?:accept|reject|allow|manage|decline)(?: all)?(?: cookies?)(?: and (?:close|continue))?",
        r"(?:cookies?|privacy) (?:policy|settings|preferences|notice|statement|consent)"
        r"(?: (?:and|&) .*)?",
        r"your (?:privacy|cookie) (?:choices|settings|preferences)",
        r"(?:please )?(?:enable|turn on|activate) javascript .*",
    ),
    "newsletter": (
        r"(?:please )?(?:subscribe|sign[ -]?up)(?: now| today| here)? (?:to|for) (?:our|the|my|your)"
        r"(?: [\w-]+){0,4} (?:newsletters?|mailing list|e-?mail(?:s| list| updates)?|channel|alerts?"
        r"|updates|feed)(?: .*)?",
        r"(?:join|get on) (?:our|the|my) (?:[\w-]+ )?(?:mailing|e-?mail) list.*",
        r"(?:please )?enter your e-?mail(?: address)?(?: .*)?",
        r"get (?:the|our) (?:latest|best|top)\b.* (?:in|to|into) your (?:inbox|mailbox|e-?mail)(?: .*)?",
        r"(?:thanks|thank you) for (?:subscribing|signing up)(?: .*)?",
        r"we (?:will never|won't|respect) .*(?:spam|privacy|e-?mail address).*",
    ),
    "sharing": (
        rf"(?:share|tweet|pin|post|e-?mail|print)(?: this| it| (?:on|via|to|with) {NETWORK})"
        rf"(?: (?:post|page|article|story|entry|with .*|on {NETWORK}|via {NETWORK}))?",
        rf"(?:share(?: on| this)?:? )?{NETWORK}(?:[\s,|·/]+{NETWORK}){{2,}}",
        rf"(?:like|follow|find|join|visit|watch) us (?:on|at) {NETWORK}(?:(?:,| and| or|,? &) (?:on )?"
        rf"{NETWORK})*(?: .*)?",
        rf"(?:click to )?share (?:on|via) {NETWORK} \(opens in (?:a )?new window\)",
        r"\d+ (?:shares?|tweets?|pins?|retweets)",
    ),
    "copyright": (
        r"(?:.*[\W_])?all rights reserved(?:[\W_].*)?",
        r"(?:copyright|©|\(c\))\s*(?:copyright |©\s*|\(c\)\s*)?(?:19|20)\d\d(?:\s*[-–—]\s*(?:(?:19|20)"
        r"\d\d|present))?(?:[\s,.|].*)?",
        r"(?:proudly )?powered by (?:wordpress|blogger|drupal|joomla|phpbb|vbulletin|discourse|ghost"
        r"|shopify|squarespace|mediawiki|xenforo|disqus|tumblr)\b.*",
        r"(?:this (?:material|content|article) )?may not be (?:published|reproduced|redistributed).*",
    ),
    "links": (
        r"(?:please )?(?:click|tap) (?:here|on (?:this|the) link|the link(?: below)?)(?: (?:to|for|if)"
        r" .*)?",
        r"(?:read|see|view|show|load|learn|find out|discover) (?:more|less|all)(?: (?:about|from|posts"
        r"|articles|comments|stories|news|on)(?: .*)?)?",
        r"(?:continue|keep) reading(?: .*)?",
        r"(?:back to|return to|go to) (?:top|the top|home(?: ?page)?)",
        r"(?:skip|jump) to (?:main |the )?(?:content|navigation|search|footer)",
        r"(?:(?:next|previous|older|newer) (?:post|page|article|story|entry|entries|posts)s?|next|prev"
        r"|previous)(?: ?[»›→].*)?",
        r"(?:leave|post|add|write) (?:a|your) (?:comment|reply)(?: .*)?",
        r"(?:you must (?:be|have)|please) (?:log(?:ged)?[ -]?in|sign(?:ed)?[ -]?in|register(?:ed)?)"
        r"(?: or [\w ]+)? to (?:post|leave|add|view|comment|reply|download|continue)\b.*",
        r"(?:related|recent|popular|similar|trending|latest|recommended) (?:posts|articles|stories|topics"
        r"|threads)",
        r"(?:advertisement|sponsored(?: content)?|toggle navigation|main menu|menu)",
    ),
    "navigation": (
        rf"(?:{ITEM}{BETWEEN})*{PAGE}{BETWEEN}(?:{ITEM}{BETWEEN})*{PAGE}(?:{BETWEEN}{ITEM})*",
    ),
    "byline": (
        r"(?:(?:post)?posted|published|written|submitted|(?:last )?(?:updated|edited)|last modified"
        rf"|asked|answered|joined)(?: by:? {NAME})?(?: ?[,|·•-])?(?: ?(?:on|at|in)?:? ?{DATE}{TIME})"
        rf"(?: by:? {NAME})?(?: in .*)?",
        rf"(?:posted|submitted) by:? {NAME}",
        rf"by {NAME}(?: ?[,|·•–-] ?| on | ){DATE}{TIME}",
        r"(?:filed under:?|posted in:?|tagged(?: with| as| under)?:) [\w &-]+(?:, ?[\w &-]+)*",
        r"(?:\d+|no) (?:comments?|repl(?:y|ies)|views|likes|responses|upvotes)(?:[ ,|·]+\d+ (?:comments?"
        r"|replies|views|likes|responses))*",
        r"(?:comments?|repl(?:y|ies)) \(\d+\)",
        r"reply(?: with)?(?:[ |·]+(?:quote|report|share|like|edit|delete|link|permalink|flag|up|down))+",
        rf"join(?:ed)?(?: date)?: {DATE}{TIME}",
        rf"(?:total )?posts: [\d,]+|all times are (?:utc|gmt|e[sd]t)\b.*|it is currently {DATE}{TIME}",
        r"go to page \d+(?:[, …]+\d+)* *(?:next)?",
    ),
    "mail": (
        rf"on .{{0,30}}?{DATE}.{{0,80}} wrote",
        r"on .{0,30}?\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.{0,80} wrote",
        r"[-_]{2,} ?(?:original|forwarded) message ?[-_]{2,}",
        r"begin forwarded message",
        r"sent (?:from|via|using) (?:my )?(?:i(?:phone|pad|pod)|(?:samsung|galaxy|android|htc|nokia"
        r"|blackberry|windows|verizon|huawei|pixel|t-mobile|mobile|smart ?phone|yahoo|outlook|mail for)"
        r"\b.*|gmail mobile)",
        r"get outlook for (?:ios|android).*",
    ),
}
"""Patterns by kind."""

MAIL_HEADERS = (
    r"(?m:^)[ \t]*(?i:[-_]{2,} ?(?:original|forwarded) message ?[-_]{2,}|begin forwarded message:)"
    r"[ \t\r]*\n(?:[ \t]*\r?\n)?(?:[ \t>]*\*?(?i:from|sent|date|to|cc|subject|reply-to):[^\n]*"
    r"(?:\n|\z))+"
)
"""The header of a quoted or forwarded mail, after the line that announces it."""

SIGNATURE = r"(?m:^)-- \r?\n(?:[^\n]{0,80}(?:\n|\z)){0,8}\z"
"""After the separator of RFC 3676, section 4.3: at most eight short lines, to the end."""
