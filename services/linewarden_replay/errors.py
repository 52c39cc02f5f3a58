"""What replay refuses.

Fatal
└── LiveTopicRefused     a simulation was about to write outside its own namespace
"""

from linewarden_runtime.errors import Fatal


class LiveTopicRefused(Fatal):
    """Simulated stays simulated: nothing of a replay or shadow ever reaches a live name."""

    exit_code = 78
