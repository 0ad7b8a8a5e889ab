"""A worker of a share group: takes records of every partition, stores them by identity, acknowledges each."""
