"""What replay refuses.

Fatal
├── LiveTopicRefused     a simulation was about to write outside its own namespace
├── IndexUnusable        the index is of something else, or cannot be read
├── ArchiveDamaged       an archive is not as it was written
└── ResultsUnusable      results of a replay are those of another run
"""

from linewarden_runtime.errors import Fatal


class LiveTopicRefused(Fatal):
    """Simulated stays simulated: nothing of a replay or shadow ever reaches a live name."""

    exit_code = 78


class IndexUnusable(Fatal):
    """The index cannot be used as it is; the message says what to do."""

    exit_code = 78


class ArchiveDamaged(Fatal):
    """A file of an archive is missing, cut or changed, or its manifest does not hold together."""

    exit_code = 65


class ResultsUnusable(Fatal):
    """A file of results is of another run, or no such file."""

    exit_code = 78
