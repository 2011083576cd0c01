"""A name server that says what a test wants, and another thing the next time, as one under attack may."""

from __future__ import annotations

from collections.abc import Sequence


class FakeResolver:
    """``{"name": ["a"]}`` always says the same; ``{"name": [["a"], ["b"]]}`` says ``b`` from then on."""

    def __init__(self, names: dict[str, Sequence[str] | Sequence[Sequence[str]]] | None = None) -> None:
        self._names = names or {}
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        if host not in self._names:
            raise OSError("no such name")
        answers = self._names[host]
        if all(isinstance(answer, str) for answer in answers):
            return answers  # type: ignore[return-value]
        return answers[min(self.asked.count(host), len(answers)) - 1]
