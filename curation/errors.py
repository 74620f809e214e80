"""The failures that a user meets, each with the exit code of the command.

RecipeError, InputError, UsageError   2   a bad recipe, input or call
Refused                               3   drift under --frozen, budget reached, a teacher set up wrongly, another live run, a failed check
ShardsFailed, BooksUnbalanced         1   the run finished incompletely, or its numbers do not match
CorruptShard                          1   a shard does not hold what was written
CannotWrite                           1   the disk is full, or the place is read-only
NoNodes                               1   no machine of the cluster could run a task for as long as the user would wait
NothingRead                           1   the run finished, but it read nothing, or only a part, of some input file
InternalError                         1   a bug in this program
"""


class CurationError(Exception):
    """A failure whose message is written for the user: what is wrong, where, and what to do.

    `details` are for the log (tracebacks); `log` is the file that they were written to, if they were.
    """

    exit_code = 1

    def __init__(self, message: str = "", details: str = "", log: str | None = None) -> None:
        """Take the message for the user, the text for the log, and the path of the log."""
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


class NoNodes(CurationError):
    """No machine of the cluster can run a task."""


class BooksUnbalanced(CurationError):
    """A record has no fate or two fates, or the dataset does not match the ledger."""


class NothingRead(CurationError):
    """No record of an input file could be read, a limit left a part unread, or no reply became a row; the run finished otherwise."""


class CorruptShard(CurationError):
    """A shard's bytes or rows are not what was written."""


class InternalError(CurationError):
    """An unforeseen error: a bug in this program; the traceback says where."""


class CannotWrite(CurationError):
    """A place cannot be written to: the disk is full or read-only, or permission is missing."""
