"""Forms of the admin that each carry out one operation on what brokers' files brought. Figures are text: the operation
reads them exactly."""

from __future__ import annotations

from django import forms
from django.http import QueryDict

from trading.domain.charge_heads import HEAD_TITLES, Head, Segment
from trading.domain.charge_schedule import MARKETS
from trading.domain.money import parse_amount
from trading.domain.split import BONUS, SPLIT
from trading.domain.stated_charges import ChargeSource, ChargeStatement
from trading.models import CorporateAction
from trading.operations.confirm_settlement import confirm_settlement
from trading.operations.confirm_split import confirm_split
from trading.operations.dismiss_action import dismiss_action
from trading.operations.give_cost import give_cost
from trading.operations.state_charges import state_charges

REASON_MAX = 1000
FIGURE_MAX = 32
NAME_MAX = 64
WHOLE = [("", "all")]


class OperationForm(forms.Form):
    """The reason, which every operation keeps; ``name`` is the form's among those of its page, ``button`` its verb."""

    name = "operation"
    button = "Save"
    reason = forms.CharField(max_length=REASON_MAX, widget=forms.Textarea(attrs={"rows": 2, "cols": 60}))

    def __init__(self, sent: QueryDict | None, key: int | str) -> None:
        super().__init__(sent if sent is not None and self.name in sent else None, prefix=self.name, label_suffix="")
        self.key = key

    def carry_out(self, by: str) -> str:
        """Call the operation and return what was done, in a sentence. Raises: VeloxError."""
        raise AssertionError("each form has its operation")

    @property
    def text(self) -> dict[str, str]:
        """The texts that were sent, by field."""
        return {name: text for name, text in self.cleaned_data.items() if isinstance(text, str)}


class SplitForm(OperationForm):
    """Confirm a split or a bonus; what is empty is as the file tells it."""

    name, button = "split", "Book it"
    kind = forms.ChoiceField(choices=[(SPLIT, "Split: new in place of old"), (BONUS, "Bonus: new on top of old")])
    new = forms.CharField(required=False, max_length=FIGURE_MAX)
    old = forms.CharField(required=False, max_length=FIGURE_MAX)
    day = forms.DateField(required=False, help_text="From which day on prices are of new units. Empty: the file's.")
    symbol = forms.CharField(required=False, max_length=NAME_MAX, help_text="Empty: the file's.")
    field_order = ("kind", "new", "old", "day", "symbol", "reason")

    def carry_out(self, by: str) -> str:
        text = self.text
        trades = confirm_split(
            int(self.key),
            by=by,
            reason=text["reason"],
            new=text["new"] or None,
            old=text["old"] or None,
            kind=text["kind"],
            day=self.cleaned_data["day"],
            symbol=text["symbol"] or None,
        )
        return f"{len(trades)} trades are in new units."


class SettlementForm(OperationForm):
    """Confirm how a contract was settled."""

    name, button = "settlement", "Book it"
    price = forms.CharField(
        required=False, max_length=FIGURE_MAX, help_text="At what one unit was settled: 0 where it expired worthless."
    )
    shares = forms.CharField(
        required=False, max_length=NAME_MAX, help_text="Where it was settled in shares: their symbol."
    )
    day = forms.DateField(required=False, help_text="Empty: the file's.")
    symbol = forms.CharField(required=False, max_length=NAME_MAX, help_text="Empty: the file's.")
    field_order = ("price", "shares", "day", "symbol", "reason")

    def carry_out(self, by: str) -> str:
        text = self.text
        terms = confirm_settlement(
            int(self.key),
            by=by,
            reason=text["reason"],
            price=text["price"] or None,
            shares=text["shares"] or None,
            day=self.cleaned_data["day"],
            symbol=text["symbol"] or None,
        )
        return f"{terms}."


class DismissForm(OperationForm):
    """Dismiss an action: nothing is booked of it."""

    name, button = "dismiss", "Dismiss it"

    def carry_out(self, by: str) -> str:
        dismiss_action(int(self.key), by=by, reason=self.text["reason"])
        return "Nothing is booked of it."


class CostForm(OperationForm):
    """Give what holdings cost that a sale was of."""

    name, button = "cost", "Give the cost"
    price = forms.CharField(max_length=FIGURE_MAX, help_text="What one unit cost.")
    day = forms.DateField(help_text="The day of the purchase.")
    field_order = ("price", "day", "reason")

    def carry_out(self, by: str) -> str:
        text = self.text
        trade = give_cost(int(self.key), text["price"], self.cleaned_data["day"], by=by, reason=text["reason"])
        return f"The sale is trade {trade.trade_id}."


class ChargesForm(OperationForm):
    """State charges of a day, or of a period, head by head; heads that are empty are not stated."""

    name, button = "charges", "State them"
    day = forms.DateField()
    last_day = forms.DateField(required=False, help_text="Of a period; empty: that day alone.")
    segment = forms.ChoiceField(required=False, choices=[*WHOLE, *((str(each), str(each)) for each in Segment)])
    market = forms.ChoiceField(required=False, choices=[*WHOLE, *((each, each) for each in MARKETS)])

    def __init__(self, sent: QueryDict | None, key: int | str) -> None:
        super().__init__(sent, key)
        for head in Head:
            self.fields[str(head)] = forms.CharField(required=False, max_length=FIGURE_MAX, label=HEAD_TITLES[head])
        self.order_fields(["day", "last_day", "segment", "market", *map(str, Head), "reason"])

    def carry_out(self, by: str) -> str:
        text, day = self.text, self.cleaned_data["day"]
        lines = [
            ChargeStatement(
                day=day,
                last_day=self.cleaned_data["last_day"] or day,
                head=head,
                amount=parse_amount(text[head], str(head)),
                source=ChargeSource.PERSON,
                segment=text["segment"],
                exchange=text["market"],
            )
            for head in Head
            if text[head].strip()
        ]
        kept = state_charges(str(self.key), lines, by=by, text=text["reason"])
        return f"{kept.lines} charges are new; {kept.trades} trades changed by them."


def forms_of(action: CorporateAction, sent: QueryDict | None) -> list[tuple[str, OperationForm]]:
    """Return the forms of an action that waits, by their headings."""
    dismiss = ("Nothing is to be booked", DismissForm(sent, action.pk))
    if action.kind == CorporateAction.Kind.OTHER:
        return [dismiss]
    if action.kind == CorporateAction.Kind.SETTLEMENT:
        return [("How it was settled", SettlementForm(sent, action.pk)), dismiss]
    form = SplitForm(sent, action.pk)
    form.initial = {"kind": BONUS if action.kind == CorporateAction.Kind.BONUS else SPLIT}
    for name in ("new", "old"):
        number = getattr(action, name)
        form.fields[name].help_text = "Not told by the file." if number is None else f"The file says {number:f}."
    return [("In new units", form), dismiss]
