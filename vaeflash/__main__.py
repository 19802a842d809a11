"""`python -m vaeflash` is `vaeflash`: it imports nothing from the working directory."""

import sys

if __name__ == "__main__":
    if not sys.flags.safe_path:
        del sys.path[0]  # which is where Python was started; a stranger's course, perhaps

    from vaeflash.cli import main

    main()
