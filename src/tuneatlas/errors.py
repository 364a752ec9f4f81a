"""The exceptions for what a user can mend."""

from tuneatlas.terminal import visible


class UserError(Exception):
    """A mistake in config, data or environment; the message is all the user sees.

    It names the file, line or key, and says what to do. Where it quotes what would steer a
    terminal, it shows that.
    """

    def __str__(self) -> str:
        """The message."""
        return visible(super().__str__())


class PassingError(UserError):
    """One that another attempt may be spared, as a network, node or process failed."""
