# SPDX-License-Identifier: Apache-2.0
"""What the migration tool runs: the scripts, over the connection that `upgrade` has opened and locked."""

from alembic import context

from wharfinger.metadata import schema

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=schema.metadata,
    transactional_ddl=False,  # the transaction is the caller's
)
context.run_migrations()
