"""Run VELOX's commands where there is no manage.py, as in a strategy's environment: ``python -m velox_site help``."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

from trading.management.files import ending_of


def _run() -> None:
    """Run the command and hand its whole answer over. Raises: OSError, where nobody takes it."""
    try:
        execute_from_command_line(sys.argv)
    except SystemExit as ending:
        if ending.code != 2:  # else it has told already why it could not run
            sys.stdout.flush()
        raise
    sys.stdout.flush()


def main() -> None:
    """Run the command that the process's arguments name; a setting that makes no sense and an answer that nobody takes
    are one line and exit 2, Ctrl-C while its modules are loaded one line and exit 130."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "velox_site.settings")
    try:
        _run()
    except ImproperlyConfigured as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    except OSError as error:  # of a command that has no words of its own for it, as Django's and the help
        sys.stderr.write(f"{ending_of(error)}\n")
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
