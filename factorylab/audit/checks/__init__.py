"""The checks: each looks at the evidence and counts the cases that break its claim."""
