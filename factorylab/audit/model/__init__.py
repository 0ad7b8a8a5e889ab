"""What the audit works with: evidence, findings, the verdict, and both in words."""
