"""``docs/configuration.md``, written from the settings: ``python -m nightlamp.cli.settings_reference``.

Its output is the page; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator

import click
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from nightlamp.settings import PREFIX, Settings
from nightlamp.settings.section import Section

_HEAD = """\
# Configuration

Written by `python -m nightlamp.cli.settings_reference > docs/configuration.md`; a test compares the two.

Nothing needs to be set to try the service: state goes to one SQLite file and one folder. A setting comes from
the first of these that has it:

1. the environment: `NIGHTLAMP_<SECTION>_<NAME>`, e.g. `NIGHTLAMP_DATABASE_URL`;
2. a TOML file: the one named by `--config` or `NIGHTLAMP_CONFIG`, else `./nightlamp.toml`, else
   `/etc/nightlamp/nightlamp.toml`;
3. the default.

```toml
# nightlamp.toml
data_dir = "/var/lib/nightlamp"

[database]
url = "postgresql://nightlamp@db.internal/nightlamp"   # a password is better in the environment

[vault]
backend = "s3"
s3_bucket = "evidence"
recipients = ["age1…"]
```

- `nightlamp config show` prints every setting, masked where it is secret, and where it comes from.
- `nightlamp config check` tries the database, the audit key, the vault and its keys, and says what to do.
- An unknown name in the file is an error; an unknown `NIGHTLAMP_` variable is a warning.
- Lists are separated by commas or spaces in the environment where the table says *list*; durations are
  `"PT2H"`, `"P1D"` or seconds.

## PostgreSQL

Any supported PostgreSQL will do; it needs a database and a role that owns it, and no extension:

```sh
createuser nightlamp && createdb -O nightlamp nightlamp
export NIGHTLAMP_DATABASE_URL=postgresql://nightlamp@localhost/nightlamp
nightlamp db upgrade
```

Durability is the server's: leave `fsync` and `synchronous_commit` on. After a fail-over to an *asynchronous*
replica the last commits may be gone; use a synchronous one, or accept that.
"""


def page() -> str:
    """The whole page."""
    return _HEAD + "".join(_sections())


def _sections() -> Iterator[str]:
    plain = {n: f for n, f in Settings.model_fields.items() if not _is_section(f)}
    yield "\n## General\n\n" + _table("", plain)
    for name, field in Settings.model_fields.items():
        if _is_section(field):
            kind = field.annotation
            assert isinstance(kind, type)
            assert issubclass(kind, BaseModel)
            yield f"\n## {name}\n\n{' '.join((kind.__doc__ or '').split())}\n\n" + _table(
                f"{name}.", kind.model_fields
            )


def _is_section(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, Section)


def _table(prefix: str, fields: dict[str, FieldInfo]) -> str:
    rows = ["| setting | variable | default | what |", "|---|---|---|---|"]
    for name, field in fields.items():
        variable = PREFIX + f"{prefix}{name}".replace(".", "_").upper()
        rows.append(f"| `{prefix}{name}` | `{variable}` | {_default(field)} | {field.description or ''} |")
    return "\n".join(rows) + "\n"


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return ""
    value = field.default
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`" if value not in (None, "", ()) else ""


if __name__ == "__main__":
    click.echo(page(), nl=False)
