"""create events

With a table that says what reached the session."""
from alembic import op

revision = "a1"
down_revision = None


def upgrade():
    op.execute("CREATE TABLE events (place text)")
    op.execute("CREATE TABLE seen AS SELECT current_setting('lock_timeout') AS lock_timeout")
