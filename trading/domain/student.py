"""Student's t distribution, for small samples of trades: any degrees of freedom, no library needed."""

from __future__ import annotations

from functools import lru_cache
from math import exp, inf, lgamma, log, log1p

_TINY = 1e-300
_ENOUGH = 1e-15
_STEPS_MAX = 500


def two_sided(t: float, freedom: float) -> float:
    """Return the chance of a value at least as far from 0 as ``t``, either side.

    P = I_x(ν/2, 1/2) with x = ν ÷ (ν + t²) (Abramowitz & Stegun 26.7.1 and 26.5.27).
    """
    if t in (inf, -inf):
        return 0.0
    return incomplete_beta(freedom / (freedom + t * t), freedom / 2, 0.5)


@lru_cache(maxsize=4096)  # the groups of a report are often of one size
def quantile(confidence: float, freedom: float) -> float:
    """Return the t that the given share of values (0.95, say) stays within, either side of 0."""
    low, high = 0.0, 1.0
    while two_sided(high, freedom) > 1 - confidence:
        low, high = high, 2 * high
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if two_sided(middle, freedom) > 1 - confidence else (low, middle)
    return (low + high) / 2


def incomplete_beta(x: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b), 0 <= x <= 1 (DLMF 8.17.22, evaluated by Lentz)."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast on the other side of the mean
        return 1 - incomplete_beta(1 - x, b, a)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    numerator, denominator = 1.0, 1 / (1 - (a + b) * x / (a + 1) or _TINY)
    fraction = denominator
    for m in range(1, _STEPS_MAX):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            denominator = 1 / (1 + term * denominator or _TINY)
            numerator = 1 + term / numerator or _TINY
            step = numerator * denominator
            fraction *= step
        if abs(step - 1) < _ENOUGH:
            break
    return front / a * fraction
