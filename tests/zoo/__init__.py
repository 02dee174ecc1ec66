"""The zoo under the name that tests use; it lives in the product because the demo needs it."""

from app.runtime.zoo import *  # noqa: F403
