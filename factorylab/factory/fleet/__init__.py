"""A fleet of sensors: offers readings to Kafka at a declared rate, open loop. `python -m factorylab.factory.fleet`."""
