"""What one command may spend on teachers, as a contract: reserved before a call, settled after it.

Before a call its worst case (every byte of the prompt a token, the longest answer allowed) is reserved; after it the true cost takes the
place of the reservation. Spent and reserved together never exceed the limit, so the limit holds even if every call under way turns out as
dear as it can. The first refusal is remembered: nothing new is sent, what is under way is finished and kept.

A limit is for one command. The same command again may spend as much again, and pays for nothing that is answered already.
"""

from dataclasses import dataclass


@dataclass
class Budget:
    """Money in USD. `limit` None: no limit."""

    limit: float | None = None
    spent: float = 0.0
    reserved: float = 0.0
    reached: bool = False

    def reserve(self, worst: float | None) -> bool:
        """Set the worst case of a call aside; False, and nothing set aside, where the limit does not allow it."""
        if self.limit is not None and self.spent + self.reserved + (worst or 0.0) > self.limit:
            self.reached = True
        if self.reached:
            return False
        self.reserved += worst or 0.0
        return True

    def settle(self, worst: float | None, cost: float | None) -> None:
        """Put the true cost in the place of a reservation; an unknown cost counts as the worst."""
        self.reserved -= worst or 0.0
        self.spent += cost if cost is not None else worst or 0.0
