"""A shop's till: tools with a state, customers by script, and things that go wrong now and then."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from pydantic import Field

from dagster_project.operators.calls import Calls
from dagster_project.operators.generator import Row
from dagster_project.operators.simulation import Simulation, Trajectory, Transcript

GOODS = {
    "A10": ("apples, 1 kg", 249),
    "B20": ("brown bread", 319),
    "C30": ("coffee beans, 500 g", 899),
    "E40": ("eggs, box of 10", 379),
    "M50": ("milk, 1 l", 129),
    "P60": ("pasta, 500 g", 99),
    "R70": ("rice, 1 kg", 229),
    "S80": ("soap, 3 bars", 275),
    "T90": ("tomatoes, 500 g", 199),
}
"""Name and price in cents by article number."""

COUPON = "SPRING10"

Event = Literal["scanner_down", "sold_out", "price_raised", "card_declined"]

SYSTEM = "You serve customers at the till of a small shop. Use the tools; never guess prices."


def _tool(name: str, does: str, **arguments: Mapping[str, Any]) -> dict[str, Any]:
    parameters = {
        "type": "object",
        "properties": arguments,
        "required": list(arguments),
        "additionalProperties": False,
    }
    function = {"name": name, "description": does, "parameters": parameters}
    return {"type": "function", "function": function}


ARTICLE = {"type": "string", "pattern": "^[A-Z][0-9]{2}$", "description": "The article number."}
QUANTITY = {"type": "integer", "minimum": 1, "maximum": 20}

TOOLS = (
    _tool("find_article", "Find articles by a word of their names.", word={"type": "string"}),
    _tool("scan", "Put articles into the basket.", article=ARTICLE, quantity=QUANTITY),
    _tool("take_back", "Take articles out of the basket.", article=ARTICLE, quantity=QUANTITY),
    _tool("use_coupon", "Take a coupon off the sum.", code={"type": "string"}),
    _tool("total", "What is to be paid, in cents."),
    _tool(
        "pay",
        "Take the payment, and close the sale.",
        method={"type": "string", "enum": ["card", "cash"]},
        cents={"type": "integer", "minimum": 0},
    ),
)


class Till:
    """A till. What it does depends on its state alone; events lie ahead in it, each once."""

    def __init__(self, state: Mapping[str, Any]) -> None:
        self.state = copy.deepcopy(dict(state))

    def call(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """What a tool answers; `error` says why it did nothing."""
        if self.state["paid"] is not None:
            return {"error": "the sale is closed"}
        does: Callable[..., dict[str, Any]] = getattr(self, f"_{tool}")
        return does(**arguments)

    def _happens(self, event: Event) -> bool:
        if event not in self.state["ahead"]:
            return False
        self.state["ahead"].remove(event)
        return True

    def _find_article(self, word: str) -> dict[str, Any]:
        found = [
            {"article": article, "name": name, "cents": self.state["prices"][article]}
            for article, (name, _) in GOODS.items()
            if word.lower() in name
        ]
        return {"articles": found} if found else {"error": f"no article is called {word!r}"}

    def _scan(self, article: str, quantity: int) -> dict[str, Any]:
        if article not in GOODS:
            return {"error": f"there is no article {article}"}
        if self._happens("scanner_down"):
            return {"error": "the scanner does not answer; try again"}
        stock, basket = self.state["stock"], self.state["basket"]
        if self._happens("sold_out"):
            stock[article] = 0
        if stock[article] < quantity:
            return {"error": f"there are not enough of {article}", "left": stock[article]}
        if self._happens("price_raised"):
            self.state["prices"][article] += 50
        stock[article] -= quantity
        basket[article] = basket.get(article, 0) + quantity
        return {"in_basket": basket[article], "cents_each": self.state["prices"][article]}

    def _take_back(self, article: str, quantity: int) -> dict[str, Any]:
        basket = self.state["basket"]
        if basket.get(article, 0) < quantity:
            return {"error": f"only {basket.get(article, 0)} of {article} are in the basket"}
        basket[article] -= quantity
        self.state["stock"][article] += quantity
        left = basket[article] or basket.pop(article)
        return {"in_basket": left}

    def _use_coupon(self, code: str) -> dict[str, Any]:
        if code not in self.state["coupons"]:
            return {"error": f"coupon {code} is not valid"}
        self.state["coupons"].remove(code)
        self.state["percent_off"] = 10
        return {"percent_off": 10}

    def _total(self) -> dict[str, Any]:
        prices = self.state["prices"]
        full = sum(prices[article] * count for article, count in self.state["basket"].items())
        return {"cents": full - full * self.state["percent_off"] // 100}

    def _pay(self, method: str, cents: int) -> dict[str, Any]:
        due = self._total()["cents"]
        if method == "card" and self._happens("card_declined"):
            return {"error": "the card is declined"}
        if cents != due:
            return {"error": f"{due} cents are due, not {cents}"}
        self.state["paid"] = {"method": method, "cents": cents}
        return {"paid_cents": cents}


@dataclass(frozen=True)
class Customer:
    """Who is at the till, and what they want.

    Attributes:
        wants: quantities by article.
        coupon: a code that they show.
        minds_price: whether a higher price than they were told puts them off.
        changes_mind: an article that they want one less of in the end.
    """

    wants: Mapping[str, int]
    coupon: str | None
    minds_price: bool
    changes_mind: str | None


class SimulateTill(Simulation):
    """Makes chats at a shop's till: customers by script, tools with a state, and things that go wrong.

    The assistant is scripted too, and does what it should: it tries again when the scanner fails, says
    so when something is sold out or dearer than it said, and never takes a sum that it did not ask the
    till for. `final_state` tells what is in the basket and what was paid; the calls, played again from
    `initial_state`, come to it.

    Example:
        generate: {simulate_till: {rates: {card_declined: 0.4, sold_out: 0.3}}}
        rows: 200
    """

    rates: dict[Event, float] = Field(
        default={"scanner_down": 0.1, "sold_out": 0.2, "price_raised": 0.2, "card_declined": 0.2},
        description="How often each event happens, 0 to 1 of the episodes.",
    )
    most_articles: int = Field(default=4, ge=1, le=9, description="Most articles of a customer.")

    def tools(self) -> Sequence[Mapping[str, Any]]:
        return TOOLS

    async def episode(self, seed: Row | None, draw: Random, calls: Calls) -> Trajectory:
        start = self._opening(draw)
        served = _Sale(Till(start), self._customer(draw), draw)
        served.serve()
        end = served.till.state
        final = {name: end[name] for name in ("basket", "stock", "percent_off", "paid")}
        events = [event for event in start["ahead"] if event not in end["ahead"]]
        return Trajectory(served.talk.messages, start, final, events)

    def _opening(self, draw: Random) -> dict[str, Any]:
        return {
            "prices": {article: cents for article, (_, cents) in GOODS.items()},
            "stock": {article: draw.randint(5, 30) for article in GOODS},
            "coupons": [COUPON] if draw.random() < 0.7 else [],
            "percent_off": 0,
            "basket": {},
            "paid": None,
            "ahead": [event for event in sorted(self.rates) if draw.random() < self.rates[event]],
        }

    def _customer(self, draw: Random) -> Customer:
        wants = {
            article: draw.randint(1, 4)
            for article in draw.sample(sorted(GOODS), draw.randint(1, self.most_articles))
        }
        several = [article for article, count in wants.items() if count > 1]
        return Customer(
            wants,
            COUPON if draw.random() < 0.4 else None,
            draw.random() < 0.5,
            draw.choice(several) if several and draw.random() < 0.3 else None,
        )


class _Sale:
    """One customer being served."""

    def __init__(self, till: Till, customer: Customer, draw: Random) -> None:
        self.till, self.customer, self.draw = till, customer, draw
        self.talk = Transcript()

    def serve(self) -> None:
        """From the greeting to the receipt."""
        self.talk.say("system", SYSTEM)
        self.talk.say("user", self._order())
        for article, count in self.customer.wants.items():
            self._sell(article, count)
        if not self.till.state["basket"]:
            self.talk.say("assistant", "Then there is nothing to pay. Sorry, and goodbye!")
            return
        self._anything_else()
        self._pay()

    def _do(self, tool: str, **arguments: Any) -> dict[str, Any]:
        result = self.till.call(tool, arguments)
        self.talk.call(tool, arguments, result)
        return result

    def _order(self) -> str:
        wanted = [f"{count} x {_plain(article)}" for article, count in self.customer.wants.items()]
        asked = self.draw.choice(
            ("Hello, I'd like {}, please.", "Can I have {}?", "Hi! {} for me, please.", "{}")
        )
        return asked.format(", ".join(wanted))

    def _sell(self, article: str, count: int) -> None:
        found = self._do("find_article", word=_plain(article))["articles"]
        told = next(one["cents"] for one in found if one["article"] == article)
        done = self._do("scan", article=article, quantity=count)
        if "scanner" in done.get("error", ""):
            done = self._do("scan", article=article, quantity=count)
        if "error" in done:
            left = f"there are only {done['left']} left" if done["left"] else "that is sold out"
            name = _plain(article).capitalize()
            self.talk.say("assistant", f"{name}: I am sorry, {left}. Shall we go on without?")
            self.talk.say("user", self.draw.choice(("Yes, leave it.", "Pity. Go on, please.")))
            return
        if done["cents_each"] > told:
            self._dearer(article, count, told, done["cents_each"])

    def _dearer(self, article: str, count: int, told: int, now: int) -> None:
        name = _plain(article)
        self.talk.say(
            "assistant",
            f"The till has {_money(now)} for {name}, not {_money(told)}. Do you still want it?",
        )
        if self.customer.minds_price:
            self.talk.say("user", "No, not at that price.")
            self._do("take_back", article=article, quantity=count)
        else:
            self.talk.say("user", "Fine, keep it.")

    def _anything_else(self) -> None:
        article, code = self.customer.changes_mind, self.customer.coupon
        said: list[str] = []
        less = article is not None and article in self.till.state["basket"]
        if article is not None and less:
            said.append(f"Make that one {_plain(article)} less.")
        if code is not None:
            said.append(f"I have a coupon: {code}.")
        self.talk.say("assistant", "Anything else?")
        self.talk.say("user", " ".join(said) or "No, that is all.")
        if less:
            self._do("take_back", article=article, quantity=1)
        if code is not None and "error" in self._do("use_coupon", code=code):
            self.talk.say("assistant", f"{code} is not valid any more, I am afraid.")
            self.talk.say("user", "All right, without it then.")

    def _pay(self) -> None:
        due = self._do("total")["cents"]
        self.talk.say("assistant", f"That is {_money(due)}. Card or cash?")
        method = self.draw.choice(("card", "cash"))
        self.talk.say("user", method.capitalize())
        if "error" in self._do("pay", method=method, cents=due):
            self.talk.say("assistant", "Your card is declined. Would you like to pay in cash?")
            self.talk.say("user", "Yes, here you are.")
            self._do("pay", method="cash", cents=due)
        self.talk.say("assistant", f"Thank you, {_money(due)} received. Goodbye!")


def _plain(article: str) -> str:
    return GOODS[article][0].partition(",")[0]


def _money(cents: int) -> str:
    return f"${cents / 100:.2f}"
