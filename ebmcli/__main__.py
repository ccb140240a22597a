"""`python -m ebmcli` is `ebm`."""

from ebmcli.cli import main

main()
