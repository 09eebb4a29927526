"""Pictures that people hand over, made anew: pixels are kept, no metadata and nothing behind the picture."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

from PIL import Image, ImageOps

from trading.errors import InvalidValue

BYTES_MAX = 5 << 20
PIXELS_MAX = 36_000_000  # a screen of 8192 × 4320, and some 150 MB while it is made anew
FORMATS = ("PNG", "JPEG", "WEBP")
Image.MAX_IMAGE_PIXELS = None  # or a large picture would be a warning; the size is looked at before any pixel is read
_MODES = {
    "PNG": frozenset({"1", "L", "LA", "P", "RGB", "RGBA"}),
    "JPEG": frozenset({"L", "RGB"}),
    "WEBP": frozenset({"RGB", "RGBA"}),
}
_OPTIONS: dict[str, dict[str, int]] = {"PNG": {}, "JPEG": {"quality": 92}, "WEBP": {"quality": 92}}


@dataclass(frozen=True, slots=True)
class CleanPicture:
    """One picture as it is kept: its ``format`` (PNG, JPEG or WEBP), its size in pixels, its bytes."""

    format: str
    width: int
    height: int
    content: bytes

    @property
    def sha256(self) -> str:
        """The SHA-256 of the bytes, as hex."""
        return hashlib.sha256(self.content).hexdigest()


def made_anew(content: bytes) -> CleanPicture:
    """Return a picture in its own format, upright, without its metadata.

    Raises: InvalidValue for more than 5 MB or 36 million pixels, for what is no PNG, JPEG or WebP or a damaged one, for
        one that moves, and for greys of more than 8 bits.
    """
    if len(content) > BYTES_MAX:
        raise _refused("it is larger than 5 MB", "Take a smaller part of the screen.")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
            width, height = picture.size
            if width * height > PIXELS_MAX:
                raise _refused(f"it has {width} × {height} pixels", "At most 36 million are taken.")
            if getattr(picture, "n_frames", 1) > 1:
                raise _refused("it moves", "Hand over one of its frames.")
            return _encoded(ImageOps.exif_transpose(picture), str(picture.format))
    except InvalidValue:
        raise
    except Exception as error:  # the library raises whatever its decoders do
        raise _refused("it is no picture that can be read", "PNG, JPEG and WebP are taken.") from error


def _encoded(picture: Image.Image, form: str) -> CleanPicture:
    """Return the pixels of a picture in a format."""
    if picture.mode[0] in "IF":
        raise _refused(f"its greys are of the kind {picture.mode}", "Save it with 8 bits.")
    if picture.mode not in _MODES[form]:
        picture = picture.convert("RGBA" if form != "JPEG" and picture.has_transparency_data else "RGB")
    transparency = picture.info.get("transparency") if form == "PNG" else None
    # The writers take colour profiles, texts and the rest from here where nobody names them.
    picture.info = {} if transparency is None else {"transparency": transparency}
    file = io.BytesIO()
    picture.save(file, form, **_OPTIONS[form])
    if file.tell() > 2 * BYTES_MAX:
        raise _refused("it is larger than 10 MB once it is unpacked", "Take a smaller part of the screen.")
    return CleanPicture(form, *picture.size, file.getvalue())


def _refused(reason: str, hint: str) -> InvalidValue:
    return InvalidValue(f"The picture is not taken: {reason}.", field="screenshots", hint=hint)
