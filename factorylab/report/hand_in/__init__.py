"""What a course or a review asks to be handed in, made from saved runs: `contents.contents` is all of it."""
