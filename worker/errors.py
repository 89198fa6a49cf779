"""The error tree, and the one form in which anything a user wrote is reported.

Expected failures of feeds, pages, targets and entries are values (see `model`); what is raised is:

    VeilleError
    ├── UserError          what a user wrote or asked; carries every Problem found, exit code 78 (EX_CONFIG)
    └── StoreError         the store cannot be used
        ├── StoreBusyError          another process writes; the caller retries later
        ├── StoreHeldError          another `run` or `poll` holds this store
        └── StoreUnusableError      corrupt, read-only, or of another schema; a person must act
            └── StoreMissingError   there is none yet
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake in something a user wrote, with the place and the fix."""

    #: The file as the user named it.
    file: str
    #: 1-based; 0 when the whole file is meant.
    line: int
    #: 1-based; 0 when the whole line is meant.
    column: int = 0
    #: What is wrong, in one sentence without a final stop.
    message: str
    #: What to do about it; may be empty where the message says it.
    fix: str = ""
    #: What was found instead, or came nearest: more on what is wrong, and nothing to do.
    seen: str = ""
    #: The line as written, for the caret; empty when there is none to show. Never shows a secret's value.
    source: str = ""

    def __str__(self) -> str:
        """`file:line:column: message`, the source line, a caret, and the fix."""
        return self.written("fix:")

    def written(self, before_fix: str) -> str:
        """The same, with these words before the fix."""
        place = ":".join([self.file, *(str(n) for n in (self.line, self.column) if n)])
        lines = [f"{place}: {self.message}"]
        if self.source:
            lines.append(f"    {self.source}")
            if self.column:
                # Tabs stay tabs, so that the caret stands under its column in any terminal.
                lines.append("    " + "".join("\t" if c == "\t" else " " for c in self.source[: self.column - 1]) + "^")
        if self.seen:
            lines.append(f"    {self.seen}")
        if self.fix:
            lines.append(f"    {before_fix} {self.fix}")
        return "\n".join(lines)


class VeilleError(Exception):
    """Veille cannot go on."""

    def __str__(self) -> str:
        """The message, or the class's own docstring where none was given."""
        return super().__str__() or (type(self).__doc__ or "")


class UserError(VeilleError):
    """Raised for something a user wrote or asked that cannot be used."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class StoreError(VeilleError):
    """The store cannot be used."""


class StoreBusyError(StoreError):
    """The store is busy: another process writes to it."""


class StoreHeldError(StoreError):
    """Another `veille run` or `veille poll` works on this store."""


class StoreUnusableError(StoreError):
    """The store cannot be opened: missing folder, read-only, corrupt, or of another version."""


class StoreMissingError(StoreUnusableError):
    """There is no store yet: `veille run` or `veille poll` makes it."""


#: What would strike any work of this process, and so says nothing of what it worked on.
OWN_FAULTS = (MemoryError, ImportError, OSError, SystemError)
