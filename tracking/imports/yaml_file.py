"""YAML that people write: read without references, by which a few lines can stand for a billion."""

from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]  # untyped there
            raise yaml.composer.ComposerError(
                None, None, f"write out what *{event.anchor} stands for", event.start_mark
            )
        return super().compose_node(parent, index)


def load(content: bytes) -> Any:
    """Return what YAML in UTF-8 says, or raise yaml.YAMLError, ValueError or RecursionError."""
    return yaml.load(content.decode("utf-8"), _Loader)  # noqa: S506 - a safe one
