"""Uptime = up / (up + down). UNKNOWN is shown apart and never counts for or against."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of results; `degraded` ones are up, but slow."""

    up: int = 0
    degraded: int = 0
    down: int = 0
    unknown: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.up + other.up,
            self.degraded + other.degraded,
            self.down + other.down,
            self.unknown + other.unknown,
        )

    @property
    def uptime(self) -> float | None:
        """Percent, None when nothing is known."""
        good = self.up + self.degraded
        known = good + self.down
        return None if known == 0 else 100.0 * good / known
