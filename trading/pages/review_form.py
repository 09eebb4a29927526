"""The form of a review, a person's words about a trade; no field of the trade itself."""

from __future__ import annotations

from typing import Any, TypedDict

from django import forms

from timeseries.values import parse_name
from trading.errors import InvalidValue
from trading.models import Review, Trade

TEXT_MAX = 1000
FIELDS = ("rating", "tags", "mistakes", "notes", "done")


class ReviewFields(TypedDict):
    """The fields of a review as `review_trade` takes them."""

    rating: int | None
    tags: list[str]
    mistakes: str
    notes: str
    state: str


class ReviewForm(forms.ModelForm):  # type: ignore[type-arg]
    """Rating, tags, mistakes and notes; ``done`` marks the trade as reviewed."""

    rating = forms.TypedChoiceField(
        required=False, coerce=int, empty_value=None, choices=[("", "—"), *((n, f"{n} {'★' * n}") for n in range(1, 6))]
    )
    tags = forms.CharField(
        required=False, max_length=500, help_text="Separated by commas", widget=forms.TextInput(attrs={"size": 60})
    )
    mistakes = forms.CharField(
        required=False, max_length=TEXT_MAX, widget=forms.Textarea(attrs={"rows": 3, "cols": 60})
    )
    notes = forms.CharField(required=False, max_length=TEXT_MAX, widget=forms.Textarea(attrs={"rows": 6, "cols": 60}))
    done = forms.BooleanField(required=False, label="Reviewed", help_text="Unmarked, the trade stays to review.")

    class Meta:
        model = Trade
        fields: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        review: Review | None = getattr(kwargs.get("instance"), "review", None)
        initial: dict[str, int | str | bool | None] = {"done": True}
        if review is not None:
            initial = {
                "rating": review.rating,
                "tags": ", ".join(review.tags),
                "mistakes": review.mistakes,
                "notes": review.notes,
                "done": review.state == Review.State.DONE,
            }
        kwargs["initial"] = initial | (kwargs.get("initial") or {})
        super().__init__(*args, **kwargs)

    def clean_tags(self) -> list[str]:
        """Return the tags that commas separate, each once."""
        names = [name.strip() for name in self.cleaned_data["tags"].split(",")]
        try:
            return list(dict.fromkeys(parse_name(name, "tags") for name in names if name))
        except InvalidValue as error:
            raise forms.ValidationError(str(error)) from error

    def review_fields(self) -> ReviewFields:
        """Return the fields of the review that was sent."""
        fields = self.cleaned_data
        # A browser sends the ends of lines as two characters.
        mistakes, notes = (fields[name].replace("\r\n", "\n") for name in ("mistakes", "notes"))
        state = Review.State.DONE if fields["done"] else Review.State.OPEN
        return {
            "rating": fields["rating"],
            "tags": fields["tags"],
            "mistakes": mistakes,
            "notes": notes,
            "state": state.value,
        }
