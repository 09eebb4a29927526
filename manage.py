#!/usr/bin/env python
"""Run VELOX's commands: `python manage.py help` lists them."""

from velox_site.__main__ import main

if __name__ == "__main__":
    main()
