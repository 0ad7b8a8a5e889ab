"""The live page: what a lab does now and did in the last 15 minutes, in a browser; and a finished run the same way."""
