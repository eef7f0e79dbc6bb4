'use strict';

const http = require('node:http');

const port = Number(process.env.PORT ?? 3000);

const server = http.createServer((request, response) => {
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.end('Hello from the web process!\n');
});

server.listen(port, '0.0.0.0', () => console.log(`web: listening on port ${port}`));

process.on('SIGTERM', () => {
  server.close();
  server.closeIdleConnections();
});
