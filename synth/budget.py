"""What one command may spend on teachers, as a contract: reserved before a call, settled after it.

Before a call its worst case (every byte of the prompt a token, the longest answer allowed) is set aside; after it the true cost takes the
place of the reservation. Spent and reserved together never exceed the limit, so the limit holds even if every call under way turns out as
dear as it can. A call that does not fit now may fit when another has come back cheaper than feared; only when nothing is under way, and it
still does not fit, is the budget `reached`. From then on nothing new is sent.

A limit is for one command. The same command again may spend as much again, and pays for nothing that is answered already.
"""

from dataclasses import dataclass


@dataclass
class Budget:
    """Money in USD. `limit` None: no limit. `closed`: whoever asks has decided to send nothing new, whatever the money."""

    limit: float | None = None
    spent: float = 0.0
    reserved: float = 0.0
    reached: bool = False
    closed: bool = False

    @property
    def stopped(self) -> bool:
        """Whether nothing new is to be sent."""
        return self.reached or self.closed

    def reserve(self, worst: float) -> bool:
        """Set the worst case of a call aside; False, and nothing set aside, where it does not fit now."""
        if self.limit is not None and self.spent + self.reserved + worst > self.limit:
            return False
        self.reserved += worst
        return True

    def settle(self, worst: float, cost: float) -> None:
        """Put the true cost in the place of what was set aside."""
        self.reserved -= worst
        self.spent += cost
