"""What Alembic runs: pending migrations on the connection that ``upgrade`` gives, inside its transaction."""

from alembic import context

from nightlamp.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
