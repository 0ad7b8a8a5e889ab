"""What every part stands on: errors, secrets, clock, settings from outside, the wire format. Imports no other part."""
