'use strict';

// An app that needs time before it can serve, as one does that fills a cache. It listens only when
// it is ready, so nobody is sent to it too early.

const http = require('node:http');

const port = Number(process.env.PORT ?? 3000);
const seconds = Number(process.env.START_SECONDS ?? 8);

const server = http.createServer((request, response) => {
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.end(`Hello, after ${seconds} seconds of preparation!\n`);
});

console.log(`preparing for ${seconds} seconds`);
const preparation = setTimeout(() => {
  server.listen(port, '0.0.0.0', () => console.log(`listening on port ${port}`));
}, seconds * 1000);

process.on('SIGTERM', () => {
  clearTimeout(preparation);
  server.close();
  server.closeIdleConnections();
});
