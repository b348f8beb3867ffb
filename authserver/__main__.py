"""`python -m authserver` is the command line."""

from authserver.cli import main

if __name__ == "__main__":
    main()
