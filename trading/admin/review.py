"""The form of a review: what a person says about a trade; no field of the trade itself."""

from __future__ import annotations

from typing import Any

from django import forms

from timeseries.values import parse_name
from trading.errors import InvalidValue
from trading.models import Review, Trade

TEXT_MAX = 1000
FIELDS = ("rating", "tags", "mistakes", "notes", "done")


def _text(rows: int) -> forms.CharField:
    return forms.CharField(required=False, max_length=TEXT_MAX, widget=forms.Textarea(attrs={"rows": rows, "cols": 60}))


class ReviewForm(forms.ModelForm):  # type: ignore[type-arg]
    rating = forms.TypedChoiceField(
        required=False, coerce=int, empty_value=None, choices=[("", "—"), *((n, f"{n} {'★' * n}") for n in range(1, 6))]
    )
    tags = forms.CharField(
        required=False, max_length=500, help_text="Separated by commas", widget=forms.TextInput(attrs={"size": 60})
    )
    mistakes = _text(3)
    notes = _text(6)
    done = forms.BooleanField(required=False, label="Reviewed", help_text="Unmarked, the trade stays to review.")

    class Meta:
        model = Trade
        fields: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        review = getattr(kwargs.get("instance"), "review", None)
        kwargs["initial"] = (_known(review) if review else {"done": True}) | (kwargs.get("initial") or {})
        super().__init__(*args, **kwargs)

    def clean_tags(self) -> list[str]:
        names = [name.strip() for name in self.cleaned_data["tags"].split(",")]
        try:
            return list(dict.fromkeys(parse_name(name, "tags") for name in names if name))
        except InvalidValue as error:
            raise forms.ValidationError(str(error)) from error

    def said(self) -> dict[str, Any]:
        """Return what `review_trade` takes."""
        given = self.cleaned_data
        # A browser sends the ends of lines as two characters.
        texts = {name: given[name].replace("\r\n", "\n") for name in ("mistakes", "notes")}
        state = Review.State.DONE if given["done"] else Review.State.OPEN
        return {"rating": given["rating"], "tags": given["tags"], **texts, "state": state.value}


def _known(review: Review) -> dict[str, Any]:
    return {
        "rating": review.rating,
        "tags": ", ".join(review.tags),
        "mistakes": review.mistakes,
        "notes": review.notes,
        "done": review.state == Review.State.DONE,
    }
