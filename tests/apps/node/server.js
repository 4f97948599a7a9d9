// Answers with the revision that it was started from.
const fs = require('fs');
const revision = fs.readFileSync('REVISION');
fs.writeFileSync(process.env.SOCKET + '.pid', String(process.pid));
require('http').createServer((request, response) => response.end(revision)).listen(process.env.SOCKET);
