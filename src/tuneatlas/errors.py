"""The exceptions for what a user can mend.

Their words are no part of a step's code, so that a better message reruns nothing. An exception
whose words a step keeps in an output, as the reason for which it sets an item aside, is a class of
its own, whose words count: `tuneatlas.engine.definitions` has the names of those that do not.
"""

from tuneatlas.terminal import visible


class UserError(Exception):
    """A mistake in config, data or environment; the message is all the user sees.

    It names the file, line or key, and says what to do. Where it quotes what would steer a
    terminal, it shows that.
    """

    def __str__(self) -> str:
        """The message."""
        return visible(super().__str__())


class TransientError(UserError):
    """One that another attempt may be spared, as a network, node or process failed."""


class Refusal(str):
    """Why something is refused, in words for the user, for its caller to raise."""

    __slots__ = ()
