'use strict';

// An app that does not end when it is told to. Do not write one like this: each of its instances
// holds up a deploy until the deadline, and is then killed with whatever it was doing.

const http = require('node:http');

const port = Number(process.env.PORT ?? 3000);

const server = http.createServer((request, response) => {
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.end('Hello from an app that will not leave!\n');
});

server.listen(port, '0.0.0.0', () => console.log(`listening on port ${port}`));

process.on('SIGTERM', () => console.log('SIGTERM: ignored'));
