"""The system under test: an ordinary application. Nothing here knows that it is an experiment."""
