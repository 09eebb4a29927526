"""Pictures that tests hand over."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image


def picture(
    form: str = "PNG", size: tuple[int, int] = (40, 30), mode: str = "RGB", *, shade: int = 90, **more: Any
) -> bytes:
    """Return a picture of one colour with a corner of another."""
    drawn = Image.new(mode, size, shade if len(mode) == 1 else (shade,) * len(Image.new(mode, (1, 1)).getbands()))
    drawn.paste(Image.new(mode, (size[0] // 4 or 1, size[1] // 4 or 1)), (0, 0))
    file = io.BytesIO()
    drawn.save(file, form, **more)
    return file.getvalue()


def opened_picture(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))
