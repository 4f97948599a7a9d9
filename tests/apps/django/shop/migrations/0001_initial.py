from django.db import migrations


class Migration(migrations.Migration):
    operations = [
        migrations.RunSQL("CREATE TABLE events (place text)"),
        migrations.RunSQL("CREATE TABLE seen AS SELECT current_setting('lock_timeout') AS lock_timeout"),
    ]
