"""The one error that a user is meant to read."""


class InputError(ValueError):
    """A value, file or option from the user that cannot be used.

    Its message is one sentence: the thing, the value found, what was expected, what to do.
    The command line prints that sentence alone, without a traceback.
    """
