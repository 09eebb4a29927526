"""The form that a list of trades is narrowed by: the words of the page's address, and of `trade_export --where`."""

from __future__ import annotations

from django import forms
from django.forms import BoundField
from django.http import QueryDict

from trading.domain.display import outcome
from trading.domain.flags import MEANINGS
from trading.errors import InvalidValue
from trading.models import Account
from trading.queries.results import RESULTS
from trading.queries.trade_filter import GAPS, TradeFilter
from trading.queries.trade_list import REVIEW_STATES
from trading.queries.traded_names import strategies_of

ANY = ("", "Any")
SPANS = (("since", "until"), ("pnl_min", "pnl_max"), ("r_min", "r_max"))
# What is asked for most days stands on the page, the rest behind a word.
OFTEN = ("since", "until", "strategy", "symbol", "side", "result", "review")


def any_of(*words: str) -> list[tuple[str, str]]:
    """Return code words as the choices of a field, written for people, and before them that it narrows nothing."""
    return [ANY, *((word, word.replace("_", " ").capitalize()) for word in words)]


def day_field(label: str) -> forms.DateField:
    """Return a field for a day."""
    return forms.DateField(required=False, label=label, widget=forms.DateInput(attrs={"type": "date"}))


def amount_field(label: str, *, digits: int, decimals: int) -> forms.DecimalField:
    """Return a field for a number of at most so many digits, that many of them decimals."""
    widget = forms.NumberInput(attrs={"inputmode": "decimal"})
    return forms.DecimalField(
        required=False, label=label, max_digits=digits, decimal_places=decimals, widget=widget, step_size=None
    )


class FilterForm(forms.Form):
    """What the list can be narrowed to; the fields are those of `TradeFilter`."""

    since = day_field("Opened since")
    until = day_field("Opened until")
    day = day_field("Opened on")
    strategy = forms.ChoiceField(required=False)
    symbol = forms.CharField(required=False, max_length=64)
    side = forms.ChoiceField(required=False, choices=any_of("LONG", "SHORT"))
    state = forms.ChoiceField(required=False, choices=any_of("OPEN", "CLOSED", "VOID"))
    result = forms.ChoiceField(required=False, choices=[ANY, *((key, outcome(key).capitalize()) for key in RESULTS)])
    review = forms.ChoiceField(required=False, choices=any_of(*REVIEW_STATES))
    exit_reason = forms.CharField(required=False, max_length=200)
    tag = forms.CharField(required=False, max_length=64)
    flag = forms.ChoiceField(
        required=False, choices=[ANY, *((flag, words.capitalize()) for flag, words in sorted(MEANINGS.items()))]
    )
    gap = forms.ChoiceField(required=False, label="Feed", choices=any_of(*GAPS))
    pnl_min = amount_field("P&L from", digits=18, decimals=8)
    pnl_max = amount_field("P&L to", digits=18, decimals=8)
    r_min = amount_field("R from", digits=6, decimals=2)
    r_max = amount_field("R to", digits=6, decimals=2)

    def __init__(self, query: QueryDict, account: Account) -> None:
        super().__init__(query, label_suffix="")
        names = strategies_of(account)
        self.fields["strategy"] = forms.ChoiceField(required=False, choices=[ANY, *((name, name) for name in names)])

    def clean(self) -> None:
        """Refuse a span whose first end lies beyond its last."""
        for first, last in SPANS:
            begin, end = self.cleaned_data.get(first), self.cleaned_data.get(last)
            if begin is not None and end is not None and begin > end:
                self.add_error(first, f"This lies beyond “{self.fields[last].label}”.")
                del self.cleaned_data[last]

    def filter(self) -> TradeFilter:
        """Return the filter; a field that cannot be read narrows nothing, and the form tells so beside it."""
        self.is_valid()
        return TradeFilter(**{name: choice for name, choice in self.cleaned_data.items() if choice not in ("", None)})

    def narrowing(self) -> dict[str, str]:
        """Return what stands in the fields by name, as it was typed; empty ones are left out."""
        return {name: str(text) for name in self.fields if (text := self.data.get(name))}

    def often(self) -> list[BoundField]:
        """Return the fields that stand on the page."""
        return [self[name] for name in OFTEN]

    def seldom(self) -> list[BoundField]:
        """Return the fields behind a word."""
        return [self[name] for name in self.fields if name not in OFTEN]

    def narrows_seldom(self) -> bool:
        """Tell whether one of the fields behind a word has something in it."""
        return any(field.data for field in self.seldom())


def filter_of(text: str, account: Account) -> TradeFilter:
    """Return the filter that the address of a list of trades asks for, from what stands behind its question mark.

    Raises: InvalidValue for a word that is none of the filter's and for a field that cannot be read.
    """
    form = FilterForm(QueryDict(text.removeprefix("?")), account)
    filters, unknown = form.filter(), sorted(set(form.data) - set(form.fields))
    if unknown:
        hint = f"Give some of {', '.join(form.fields)}."
        raise InvalidValue(f"There is no filter {unknown[0]!r}.", field="where", hint=hint)
    for name, errors in form.errors.items():
        raise InvalidValue(f"{name} is {form.data[name]!r}.", field="where", hint=" ".join(map(str, errors)))
    return filters
