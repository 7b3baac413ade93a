"""The one exception type for what a user can cause and mend."""


class UserError(ValueError):
    """A mistake of the user's: one line naming the setting or file, the value, what is allowed and
    what to do. The command line prints it alone and exits with code 2."""
