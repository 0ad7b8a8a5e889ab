"""What a cluster that is not the lab's own answers: who is reached, who is let in, and what one may do there.

Nothing here creates, changes or deletes anything.
"""
