"""Run VELOX's commands where there is no manage.py, as in a strategy's environment: ``python -m velox_site help``."""

import os
import sys

from django.core.management import execute_from_command_line


def main() -> None:
    """Run the command that the process's arguments name."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "velox_site.settings")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
