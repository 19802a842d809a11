"""`python -m vaeflash` is `vaeflash`."""

from vaeflash.cli import main

if __name__ == "__main__":
    main()
