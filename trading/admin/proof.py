"""The page on which an operator has the ledger proved."""

from __future__ import annotations

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from trading.proof.desk import prove_desk
from trading.proof.verification import Proof

VERIFY = "trading.add_correction"  # who may correct the ledger may have it proved
SHOWN_MAX = 500


def proof_page(request: HttpRequest) -> HttpResponse:
    """Show the button; once it was pressed, the verdict and the differences."""
    if not request.user.has_perm(VERIFY):
        raise PermissionDenied
    proof: Proof | None = None
    error = ""
    if request.method == "POST":
        try:
            proof = prove_desk()
        except DatabaseError as fault:
            error = f"The ledger cannot be read: {fault}"
    context = {
        **admin.site.each_context(request),
        "title": "Verify the ledger",
        "proof": proof,
        "error": error,
        "differences": proof.differences[:SHOWN_MAX] if proof else [],
        "checked": [(name.replace("_", " "), count) for name, count in proof.checked.items()] if proof else [],
    }
    return TemplateResponse(request, "admin/proof.html", context)
