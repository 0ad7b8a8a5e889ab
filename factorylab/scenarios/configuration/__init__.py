"""Settings of Kafka clients and brokers as people have them in files, and what they allow to happen."""
