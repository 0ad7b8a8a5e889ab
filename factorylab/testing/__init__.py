"""Tests of a service against real failures: a pytest plugin, and the audit's verdict on the records of a test.

    from factorylab.testing import Deliveries, assert_delivery

Light until it is used: pytest imports the plugin at each start.
"""

from factorylab.testing.delivery import assert_delivery
from factorylab.testing.recorder import Deliveries

__all__ = ["Deliveries", "assert_delivery"]
