"""Which models to time so that the least time teaches the most about a device.

`pool` collects candidates, `order` chooses among them, `folder` writes them with the scripts that time them.
"""
