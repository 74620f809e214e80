"""The failures a user meets, each with the exit code it ends a command with.

RecipeError, InputError, UsageError   2   a bad recipe, input or call
Refused                               3   frozen drift, budget, another live run, a failed check
ShardsFailed, BooksUnbalanced         1   the run finished, but not wholly, or its numbers differ
CannotWrite                           1   the disk is full, or the place is read-only
NothingRead                           1   the run finished, but of some input file nothing, or not all, was read
InternalError                         1   a mistake of this program
"""


class CurationError(Exception):
    """A failure whose message is written for the user: what is wrong, where, and what to do.

    `details` are for the log (tracebacks); `log` is where they were written, once they were.
    """

    exit_code = 1

    def __init__(self, message: str = "", details: str = "", log: str | None = None) -> None:
        """Take what is told to the user, what goes to the log, and where the log is."""
        super().__init__(message)
        self.details = details
        self.log = log


class UsageError(CurationError):
    """The command was called in a way that cannot work."""

    exit_code = 2


class RecipeError(UsageError):
    """The recipe cannot be read or asks for something that does not exist."""


class InputError(UsageError):
    """An input path is missing, empty or ambiguous."""


class Refused(CurationError):
    """The run would be possible but is not allowed: drift under --frozen, budget reached, another run is live."""

    exit_code = 3


class ShardsFailed(CurationError):
    """Some shards could not be made; everything else was finished first."""


class BooksUnbalanced(CurationError):
    """A record has no fate, or two, or the dataset does not hold what the ledger says."""


class NothingRead(CurationError):
    """Of some input file not one record could be read, or a limit left the rest unread; the run was finished otherwise."""


class CorruptShard(CurationError):
    """A shard's bytes or rows are not those that were written."""


class InternalError(CurationError):
    """Something that nobody foresaw: the mistake is ours, and the traceback says where."""


class CannotWrite(CurationError):
    """A place cannot be written to: the disk is full, or read-only, or not ours to write."""
