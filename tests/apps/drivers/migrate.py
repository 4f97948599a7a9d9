# migrate.py SQL -- a migration with asyncpg.  First it says what its session has of PGAPPNAME and PGOPTIONS.
import asyncio
import sys

import asyncpg


async def main():
    session = await asyncpg.connect()
    name, limit = await session.fetchrow("select current_setting('application_name'), current_setting('lock_timeout')")
    print(f"asyncpg is '{name}', lock_timeout {limit}", flush=True)
    await session.execute(sys.argv[1])
    await session.close()


asyncio.run(main())
