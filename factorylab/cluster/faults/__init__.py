"""What is done to the system: targets resolved by role at injection, faults that always heal."""
