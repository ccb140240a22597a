"""`python -m ebmcli` is `ebm`."""

from ebmcli.cli.app import main

main()
