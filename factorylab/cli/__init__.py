"""The command `factorylab`, a module for each group of commands."""
