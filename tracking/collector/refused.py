"""What the collector does not take."""


class Refused(Exception):
    """A request that is not taken: its status, and why, for whoever builds the page."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
