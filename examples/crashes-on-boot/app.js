'use strict';

// An app that cannot start until it is configured, and says so before it ends with code 1.

const http = require('node:http');

const greeting = process.env.GREETING;
if (!greeting) {
  console.error('GREETING is not set; to set it: paas config set GREETING=Hello');
  process.exit(1);
}

const port = Number(process.env.PORT ?? 3000);

const server = http.createServer((request, response) => {
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.end(`${greeting}\n`);
});

server.listen(port, '0.0.0.0', () => console.log(`listening on port ${port}`));

process.on('SIGTERM', () => {
  server.close();
  server.closeIdleConnections();
});
