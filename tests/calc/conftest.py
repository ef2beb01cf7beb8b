"""How many examples hypothesis tries: `FORBLI_EXAMPLES=20` tries twenty times as many as a default run."""

import os

from hypothesis import HealthCheck, settings

TIMES = int(os.environ.get("FORBLI_EXAMPLES", "1"))
settings.register_profile(
    "forbli",
    max_examples=100 * TIMES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
settings.load_profile("forbli")
