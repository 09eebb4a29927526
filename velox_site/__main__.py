"""Run VELOX's commands where there is no manage.py, as in a strategy's environment: ``python -m velox_site help``."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line


def main() -> None:
    """Run the command that the process's arguments name; a setting that makes no sense is one line and exit 2, Ctrl-C
    while its modules are loaded one line and exit 130."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "velox_site.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    except KeyboardInterrupt:  # before the command runs: it has words of its own then
        sys.stderr.write("Broken off.\n")
        sys.exit(130)
    finally:
        try:
            sys.stdout.flush()
        except OSError:  # the command has told of it; the interpreter's own flush would fail once more
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
