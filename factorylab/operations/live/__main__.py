"""The live page beside a command, as a process of its own. See `beside.py`."""

from factorylab.operations.live.serve import main

if __name__ == "__main__":
    main()
