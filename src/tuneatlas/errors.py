"""The exceptions for what a user can mend."""


class UserError(Exception):
    """A mistake in config, data or environment; the message is all the user sees.

    It names the file, line or key, and says what to do.
    """


class PassingError(UserError):
    """One that another attempt may be spared, as a network, node or process failed."""
