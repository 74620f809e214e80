"""The budget for teachers: the cost of a call is reserved before it and settled after it.

Before a call its worst case (every byte of the prompt a token, the longest answer allowed) is reserved; after it the true cost replaces the
reservation. Spent and reserved money together never exceed the limit, so the limit holds even if every pending call costs the most it can.
A call that does not fit now may fit when another turns out cheaper than its worst case. The budget is `reached` only if no call is pending
and the next one still does not fit. From then on nothing new is sent.

A limit applies to everything that the reply log has paid for, resumes included: `spent` begins with that. An endpoint may bill more than
the limit that it was given (`strain` is the most by which one call did): later reservations grow by that, and as soon as all calls together
have cost more than was reserved for them, the limit can no longer be promised and nothing new is sent (`outrun`).
"""

from dataclasses import dataclass


@dataclass
class Budget:
    """Money in USD. `limit` None: no limit. `next_worst`: the worst case of the next call, once it does not fit any more.

    `closed`: the caller has decided to send nothing new, whatever the money.
    """

    limit: float | None = None
    spent: float = 0.0
    reserved: float = 0.0
    next_worst: float | None = None
    closed: bool = False
    strain: float = 1.0
    billed: float = 0.0
    covered: float = 0.0

    @property
    def reached(self) -> bool:
        """Return whether the next call does not fit, even if no call is pending."""
        return self.next_worst is not None

    @property
    def stopped(self) -> bool:
        """Return whether to send nothing new."""
        return self.reached or self.closed or self.outrun

    @property
    def outrun(self) -> bool:
        """Return whether calls have cost more than was reserved for them."""
        return self.limit is not None and self.billed > self.covered + 1e-12

    @property
    def unproven(self) -> bool:
        """Return whether a limit stands and no call has shown yet what the endpoint bills: then one call goes alone."""
        return self.limit is not None and self.covered == 0.0 and self.reserved > 0.0

    def reserve(self, worst: float) -> bool:
        """Reserve the worst case of a call; return False, without reserving anything, if it does not fit now."""
        if self.limit is not None and self.spent + self.reserved + worst > self.limit:
            return False
        self.reserved += worst
        return True

    def settle(self, worst: float, cost: float) -> None:
        """Replace a reservation by the true cost."""
        self.reserved -= worst
        self.spent += cost
        self.billed += cost
        self.covered += worst
