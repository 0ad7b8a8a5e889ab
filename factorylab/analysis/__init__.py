"""What a run's history shows: frames in, frames out, no state, no drawing."""
