// migrate.js SQL -- a migration with node-postgres.  First it says what its session has of PGAPPNAME and PGOPTIONS.
const { Client } = require('pg');

async function main() {
  const session = new Client();
  await session.connect();
  const { rows } = await session.query("select current_setting('application_name') as name, current_setting('lock_timeout') as lim");
  console.log(`node-postgres is '${rows[0].name}', lock_timeout ${rows[0].lim}`);
  await session.query(process.argv[2]);
  await session.end();
}

main();
