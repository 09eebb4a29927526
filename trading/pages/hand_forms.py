"""The forms of what a person enters by hand. Figures go on as they were typed: the operations make them exact."""

from __future__ import annotations

import re
import secrets
from datetime import date, datetime

from django import forms
from django.utils import timezone

from trading.bookkeeping.by_hand import NEW_STRATEGY, NEW_SYMBOL, QUANTITY_MOVED, HandEntry
from trading.domain.flags import meaning
from trading.errors import LikelySlip, VeloxError
from trading.operations.enter_by_hand import MANUAL, Closing, HandFill, Opening

_OF_TODAY = re.compile(r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?")
WARNINGS = {
    NEW_SYMBOL: "nothing is recorded of this symbol yet: it would be made new",
    QUANTITY_MOVED: "fills came since this page was loaded: the close is of all that is open now",
    NEW_STRATEGY: "nothing is recorded of this strategy yet: it would be made new",
}


def minted_id() -> str:
    """Return an id that no other form has: what is sent twice is booked once by it."""
    return f"hand-{secrets.token_hex(6)}"


def warning(word: str) -> str:
    """Return what a warning about an entry means."""
    return WARNINGS.get(word) or meaning(word)


class MomentField(forms.DateTimeField):
    """An instant, without an offset at the desk; a time of day alone is of today."""

    widget = forms.DateTimeInput(
        format="%Y-%m-%d %H:%M:%S", attrs={"class": "moment", "autocomplete": "off", "spellcheck": "false"}
    )

    def to_python(self, typed: str | date | None) -> datetime | None:
        """Return the instant that was typed."""
        if isinstance(typed, str) and _OF_TODAY.fullmatch(typed.strip()):
            return super().to_python(f"{timezone.localdate()} {typed.strip()}")
        return super().to_python(typed)


def figure_field(label: str, *, required: bool = True) -> forms.CharField:
    """Return a field for a price, a quantity or an amount, kept as it was typed."""
    widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
    return forms.CharField(label=label, required=required, max_length=40, widget=widget)


class HandForm(forms.Form):
    """What every entry by hand has: the warnings that its author has read, and an id of its own."""

    accepted = forms.CharField(required=False, max_length=500, widget=forms.HiddenInput)
    often: tuple[str, ...] = ()  # what stands on the page; the other fields are behind a word
    warnings: tuple[str, ...] = ()
    to_accept = ""  # the words of these warnings, as the form sends them back

    def entry(self, by: str) -> HandEntry:
        """Return the entry of a form that is valid, with the warnings that were shown with it."""
        return HandEntry(by, frozenset(self.cleaned_data["accepted"].split()))

    def refuse(self, error: VeloxError) -> None:
        """Show a refusal beside its field; warnings are to be accepted when the form is sent again."""
        if isinstance(error, LikelySlip):
            self.warnings, self.to_accept = tuple(map(warning, error.warnings)), " ".join(error.warnings)
        else:
            self.add_error(error.field if error.field in self.fields else None, str(error))

    def on_page(self) -> list[forms.BoundField]:
        """Return the fields that are filled in for most entries."""
        return [self[name] for name in self.often]

    def behind_a_word(self) -> list[forms.BoundField]:
        """Return the other fields that a person can see."""
        return [field for field in self.visible_fields() if field.name not in self.often]

    def focus(self) -> None:
        """Let the keyboard begin at the first field that is at fault, on a fresh form at its first."""
        name = next((field.name for field in self.visible_fields() if field.errors), self.often[0])
        if not self.warnings:
            self.fields[name].widget.attrs["autofocus"] = True

    def text(self, name: str) -> str | None:
        """Return what was typed in a field, None where it was left empty."""
        typed: str = self.cleaned_data[name].strip()
        return typed or None


class ClosingFields(HandForm):
    """The end of a trade."""

    exit_price = figure_field("Exit price")
    exit_time = MomentField(label="Exit time")
    exit_reason = forms.CharField(required=False, max_length=200)
    exit_charges = figure_field("Charges of the exit", required=False)

    def closing(self) -> Closing | None:
        """Return the end of the trade as it was typed, None where the price was left empty."""
        price, at = self.text("exit_price"), self.cleaned_data["exit_time"]
        if price is None:
            return None
        reason = self.cleaned_data["exit_reason"].strip()
        charges, seen = self.text("exit_charges"), self.cleaned_data.get("open_quantity") or None
        return Closing(exit_price=price, exit_time=at, exit_reason=reason, charges=charges, open_quantity=seen)


class CloseForm(ClosingFields):
    """The close of a trade that is open, of as much as was open when the form was shown."""

    open_quantity = forms.CharField(required=False, max_length=60, widget=forms.HiddenInput)
    often = ("exit_price", "exit_time", "exit_reason", "exit_charges")


class NewTradeForm(ClosingFields):
    """A trade, open or with its end."""

    symbol = forms.CharField(max_length=80, widget=forms.TextInput(attrs={"list": "symbols", "autocomplete": "off"}))
    side = forms.ChoiceField(choices=[("", "—"), ("LONG", "Long"), ("SHORT", "Short")])
    quantity = figure_field("Quantity")
    entry_price = figure_field("Entry price")
    entry_time = MomentField(label="Entry time")
    stop_price = figure_field("Stop", required=False)
    target_price = figure_field("Target", required=False)
    strategy_id = forms.CharField(
        label="Strategy", max_length=64, initial=MANUAL, widget=forms.TextInput(attrs={"list": "strategies"})
    )
    charges = figure_field("Charges of the entry", required=False)
    trade_id = forms.CharField(label="Trade id", max_length=128)
    exit_price = figure_field("Exit price", required=False)
    exit_time = MomentField(label="Exit time", required=False)
    often = ("symbol", "side", "quantity", "entry_price", "entry_time", "stop_price", "target_price", "strategy_id")
    field_order = (*often, "exit_price", "exit_time", "exit_reason", "charges", "exit_charges", "trade_id")

    def clean(self) -> dict[str, str | datetime | None]:
        """Let an end be whole or left out."""
        fields: dict[str, str | datetime | None] = super().clean() or self.cleaned_data
        filled = [name for name in ("exit_price", "exit_time", "exit_reason", "exit_charges") if fields.get(name)]
        if filled:
            for name in ("exit_price", "exit_time"):
                if not fields.get(name) and name not in self.errors:
                    self.add_error(name, "An exit has a price and a time.")
        return fields

    def opening(self) -> Opening:
        """Return the opening as it was typed."""
        return Opening(
            trade_id=self.cleaned_data["trade_id"],
            symbol=self.cleaned_data["symbol"],
            side=self.cleaned_data["side"],
            quantity=self.cleaned_data["quantity"],
            entry_price=self.cleaned_data["entry_price"],
            entry_time=self.cleaned_data["entry_time"],
            strategy_id=self.cleaned_data["strategy_id"],
            stop_price=self.text("stop_price"),
            target_price=self.text("target_price"),
            charges=self.text("charges"),
        )


class FillForm(HandForm):
    """One more fill of a trade."""

    side = forms.ChoiceField(choices=[("", "—"), ("BUY", "Buy"), ("SELL", "Sell")])
    quantity = figure_field("Quantity")
    price = figure_field("Price")
    at = MomentField(label="Time")
    charges = figure_field("Charges", required=False)
    fill_id = forms.CharField(label="Fill id, best the broker’s", max_length=128)
    often = ("side", "quantity", "price", "at", "charges", "fill_id")

    def fill(self) -> HandFill:
        """Return the fill as it was typed."""
        names = ("side", "quantity", "price", "at", "fill_id")
        return HandFill(**{name: self.cleaned_data[name] for name in names}, charges=self.text("charges"))


def now_at_desk() -> datetime:
    """Return the clock to the second, as a field of a time begins."""
    return timezone.localtime().replace(microsecond=0)
