"""Environments of heavy packages, which only long tests use: made once, in `var/`, of a lock of their own."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path


def interpreter_of(environment: Path, lock: Path, *, is_compiled: bool = False) -> Path:
    """Return the interpreter of an environment that is installed as its lock is now; ``is_compiled``: its modules
    before anybody imports them. Raises: CalledProcessError where it cannot be installed."""
    mark, digest = environment / "installed", hashlib.sha256(lock.read_bytes()).hexdigest()
    python = environment / "bin" / "python"
    if not mark.exists() or mark.read_text() != digest:
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        install = [python, "-m", "pip", "install", "-q", "--no-compile", "--no-deps", "--require-hashes", "-r", lock]
        subprocess.run(install, check=True)
        if is_compiled:
            compile_all = [python, "-m", "compileall", "-qq", "-j", "0", "-x", "/tests/", environment / "lib"]
            subprocess.run(compile_all, check=False)
        mark.write_text(digest)
    return python
