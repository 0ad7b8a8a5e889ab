"""What a finished run means, from its recorded history alone: checks, and a verdict."""
