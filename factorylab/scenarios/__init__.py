"""What is to be done: the model of a scenario, the named ones, their parameters, and files of a user's own."""
