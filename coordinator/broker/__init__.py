"""Where boxes and coordinator meet: the embedded broker, or mosquitto's configuration."""
