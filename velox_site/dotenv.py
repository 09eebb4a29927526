"""Write `.env` with random secrets: `make env`. An existing file is never overwritten."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
MARK = "change-me"


def main() -> int:
    """Copy `.env.example` to `.env` (0600), a fresh secret in place of every ``change-me``."""
    lines = (BASE_DIR / ".env.example").read_text(encoding="utf-8").splitlines()
    filled = [line.replace(MARK, secrets.token_urlsafe(48)) for line in lines]
    try:
        descriptor = os.open(BASE_DIR / ".env", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        print(".env is there already and stays as it is; remove it first for a new one.")
        return 0
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("\n".join(filled) + "\n")
    print("Wrote .env (readable by you alone).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
