'use strict';

// The smallest web app: one file, no dependencies. It has the two habits that any app behind
// `paas` should have: it listens where $PORT says, on all addresses, and it ends in peace.

const http = require('node:http');

const port = Number(process.env.PORT ?? 3000);

const server = http.createServer((request, response) => {
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.end('Hello from node-hello!\n');
});

server.listen(port, '0.0.0.0', () => console.log(`listening on port ${port}`));

// Before an instance is replaced it gets SIGTERM. New requests go elsewhere by then: answer the
// ones that are under way, drop the connections that are idle, and the process ends by itself.
process.on('SIGTERM', () => {
  console.log('SIGTERM: finishing the requests that are under way');
  server.close();
  server.closeIdleConnections();
});
